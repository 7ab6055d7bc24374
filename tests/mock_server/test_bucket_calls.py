"""What is sent to an S3-compatible store for each call of a bucket, and what is made of its answers."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_mock.store import bucket as bucket_module
from conductor_mock.store.bucket import (
    TRIES,
    Bucket,
    BucketError,
    Found,
    Location,
    LocationError,
    NoBucketError,
)
from conductor_mock.store.few_at_once import FewAtOnce
from support.canned_store import ENDPOINT, NAME, Canned

MD5 = bytes(range(16))
MD5_TEXT = "AAECAwQFBgcICQoLDA0ODw=="
ETAG = '"X-is-of-the-store-X"'
"""What a store calls a body is its own affair."""
CALLED = "X-is-of-the-store-X"
MODIFIED = "2026-01-02T03:04:05.000Z"
MODIFIED_S = 1767323045.0
DATE = "Fri, 02 Jan 2026 03:04:47 GMT"
"""42 seconds after that."""
AT = f"{ENDPOINT}/{NAME}"


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Canned:
    """What answers each call once."""
    monkeypatch.setattr(bucket_module, "TRIES", 1)
    return Canned()


@pytest.fixture
def bucket(store: Canned) -> Bucket:
    return store.bucket()


# What is sent


def test_a_body_is_sent_with_its_md5_and_its_etag_comes_back_without_quotes(
    store: Canned, bucket: Bucket
) -> None:
    store.answer(ETag=ETAG)
    assert bucket.put("a b", b"a body", md5=MD5) == CALLED
    (sent,) = store.sent
    assert (sent.method, sent.url, sent.body) == ("PUT", f"{AT}/farm/a b", b"a body")
    assert sent.headers["content-md5"] == MD5_TEXT
    assert "if-none-match" not in sent.headers


def test_what_is_new_is_stored_only_where_nothing_has_the_name(store: Canned, bucket: Bucket) -> None:
    store.answer(ETag=ETAG)
    bucket.put("a", b"a body", md5=MD5, is_new=True)
    assert store.sent[0].headers["if-none-match"] == "*"
    store.refuse(412, "PreconditionFailed")
    with pytest.raises(FileExistsError):
        bucket.put("a", b"a body", md5=MD5, is_new=True)


def test_a_body_comes_whole_where_nothing_else_is_asked_for(store: Canned, bucket: Bucket) -> None:
    store.answer(body=b"a body", ETag=ETAG)
    body = bucket.get("a")
    assert [bucket.read(body, 2), bucket.read(body, 9)] == [b"a ", b"body"]
    assert (store.sent[0].method, store.sent[0].url) == ("GET", f"{AT}/farm/a")
    assert "range" not in store.sent[0].headers


@pytest.mark.parametrize(("first", "span"), [(None, "0-2"), (4, "4-6")])
def test_a_part_is_asked_for_by_its_first_byte_and_its_last(
    first: int | None, span: str, store: Canned, bucket: Bucket
) -> None:
    store.answer(206, b"abc", ETag=ETAG, Content_Range=f"bytes {span}/9")
    body = bucket.get("a", count=3) if first is None else bucket.get("a", first, 3)
    assert bucket.read(body, 9) == b"abc"
    assert store.sent[0].headers["range"] == f"bytes={span}"


@pytest.mark.parametrize("span", [None, "bytes 5-7/9", "items 4-6/9"])
def test_another_part_than_was_asked_for_is_not_read(span: str | None, store: Canned, bucket: Bucket) -> None:
    store.answer(206, b"abc", ETag=ETAG, also=({} if span is None else {"Content_Range": span}))
    with pytest.raises(BucketError, match="sent another part"):
        bucket.get("a", 4, 3)
    (body,) = store.bodies
    assert body.closed, "the connection is free again"


@given(
    size=st.integers(1, 40), first=st.integers(0, 39), count=st.integers(1, 60), off=st.sampled_from([-1, 1])
)
def test_a_part_is_what_was_asked_for_or_all_that_follows(
    size: int, first: int, count: int, off: int
) -> None:
    first %= size
    last = min(first + count, size) - 1

    def is_part(begin: int, end: int, length: int) -> bool:
        answer = {"ContentRange": f"bytes {begin}-{end}/{size}", "ContentLength": length}
        return bucket_module._is_part(answer, first, count)

    length = last - first + 1
    assert is_part(first, last, length)
    assert not is_part(first, last, length + off)
    assert not is_part(first + off, last + off, length)
    assert not is_part(first, last + off, length + off)


def test_what_is_known_of_a_name_is_told_by_the_clock_of_the_store(store: Canned, bucket: Bucket) -> None:
    store.answer(ETag=ETAG, Content_Length="1234", Last_Modified="Fri, 02 Jan 2026 03:04:05 GMT", Date=DATE)
    assert bucket.head("a") == Found("a", 1234, CALLED, MODIFIED_S, 42.0)
    assert (store.sent[0].method, store.sent[0].url) == ("HEAD", f"{AT}/farm/a")


@pytest.mark.parametrize(
    ("date", "age_s"),
    [
        (DATE, 42.0),
        ("Fri, 02 Jan 2026 03:04:47 -0000", 42.0),
        ("Fri, 02 Jan 2026 04:04:47 +0100", 42.0),
        ("yesterday", 0.0),
        (None, 0.0),
    ],
)
def test_what_a_store_without_a_clock_has_is_taken_for_new(
    date: str | None, age_s: float, store: Canned, bucket: Bucket
) -> None:
    told = {} if date is None else {"Date": date}
    store.answer(ETag=ETAG, Content_Length="1", Last_Modified="Fri, 02 Jan 2026 03:04:05 GMT", also=told)
    assert bucket.head("a").age_s == age_s


def listing(names: str, rest: str = "") -> str:
    there = "".join(
        f"<Contents><Key>farm/{name}</Key><Size>{len(name)}</Size><ETag>{ETAG}</ETag>"
        f"<LastModified>{MODIFIED}</LastModified></Contents>"
        for name in names.split()
    )
    told = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{rest}</NextContinuationToken>"
    return (
        f"<ListBucketResult>{there}{told if rest else '<IsTruncated>false</IsTruncated>'}</ListBucketResult>"
    )


def test_names_are_listed_a_page_at_a_time_without_the_prefix(store: Canned, bucket: Bucket) -> None:
    store.answer(body=listing("objects/a objects/bb", "page-2"), Date=DATE)
    store.answer(body=listing("", "page-3"))
    store.answer(body=listing("objects/c"), Date=DATE)
    assert list(bucket.listed("objects/")) == [
        Found(name, len(name), CALLED, MODIFIED_S, 42.0) for name in ("objects/a", "objects/bb", "objects/c")
    ]
    assert [sent.query.get("continuation-token") for sent in store.sent] == [None, "page-2", "page-3"]
    for sent in store.sent:
        assert (sent.method, sent.url, sent.query["prefix"]) == ("GET", AT, "farm/objects/")
        assert int(sent.query["max-keys"]) <= 1000, "S3 gives no more"


def test_whether_the_bucket_is_there_is_asked_with_the_shortest_listing(
    store: Canned, bucket: Bucket
) -> None:
    store.answer(body=listing(""))
    bucket.check()
    (sent,) = store.sent
    assert (sent.method, sent.url, sent.query["prefix"], sent.query["max-keys"]) == ("GET", AT, "farm/", "1")


def test_a_name_is_taken_away(store: Canned, bucket: Bucket) -> None:
    store.answer(204)
    bucket.delete("a")
    assert [(sent.method, sent.url) for sent in store.sent] == [("DELETE", f"{AT}/farm/a")]


def test_a_body_is_copied_within_the_bucket(store: Canned, bucket: Bucket) -> None:
    store.answer(body=f"<CopyObjectResult><ETag>{ETAG}</ETag></CopyObjectResult>")
    bucket.copy("a", "b")
    (sent,) = store.sent
    assert (sent.method, sent.url) == ("PUT", f"{AT}/farm/b")
    assert sent.headers["x-amz-copy-source"] == f"{NAME}/farm/a"


def test_a_body_in_parts_is_begun_sent_and_joined_in_the_order_of_its_parts(
    store: Canned, bucket: Bucket
) -> None:
    store.answer(body="<Begun><UploadId>upload 1</UploadId></Begun>")
    store.answer(ETag=ETAG)
    store.answer(body=f"<Done><ETag>{ETAG}</ETag></Done>")
    upload = bucket.begin_parts("a")
    assert upload == "upload 1"
    assert bucket.put_part("a", upload, 7, b"a part", md5=MD5) == CALLED
    assert bucket.join_parts("a", upload, ["one", "two"]) == CALLED
    begun, part, joined = store.sent
    assert [(sent.method, sent.url) for sent in store.sent] == [
        (method, f"{AT}/farm/a") for method in ("POST", "PUT", "POST")
    ]
    assert "uploads" in begun.query
    assert part.query == {"uploadId": upload, "partNumber": "7"}
    assert (part.body, part.headers["content-md5"]) == (b"a part", MD5_TEXT)
    assert joined.query == {"uploadId": upload}
    parts = joined.body.decode().replace("&quot;", '"')
    numbered = [f'<ETag>"{etag}"</ETag><PartNumber>{number}</' for number, etag in ((1, "one"), (2, "two"))]
    swapped = [
        f'<PartNumber>{number}</PartNumber><ETag>"{etag}"</' for number, etag in ((1, "one"), (2, "two"))
    ]
    assert all(one in parts for one in numbered) or all(one in parts for one in swapped), parts
    assert parts.index("one") < parts.index("two")


def test_a_body_in_parts_is_given_up_by_its_id(store: Canned, bucket: Bucket) -> None:
    store.answer(204)
    bucket.forget_parts("a", "upload 1")
    (sent,) = store.sent
    assert (sent.method, sent.url, sent.query) == ("DELETE", f"{AT}/farm/a", {"uploadId": "upload 1"})


def uploads(names: str, rest: str = "") -> str:
    begun = "".join(
        f"<Upload><Key>farm/{name}</Key><UploadId>of {name}</UploadId><Initiated>{MODIFIED}</Initiated></Upload>"
        for name in names.split()
    )
    told = (
        f"<IsTruncated>true</IsTruncated><NextKeyMarker>{rest}</NextKeyMarker>"
        f"<NextUploadIdMarker>of {rest}</NextUploadIdMarker>"
    )
    return f"<Result>{begun}{told if rest else '<IsTruncated>false</IsTruncated>'}</Result>"


def test_what_was_begun_in_parts_is_listed_a_page_at_a_time_with_its_age(
    store: Canned, bucket: Bucket
) -> None:
    store.answer(body=uploads("a b", "b"), Date=DATE)
    store.answer(body=uploads("", "c"))
    store.answer(body=uploads("d"), Date=DATE)
    assert list(bucket.begun()) == [(name, f"of {name}", 42.0) for name in "abd"]
    markers = [(sent.query.get("key-marker"), sent.query.get("upload-id-marker")) for sent in store.sent]
    assert markers == [(None, None), ("b", "of b"), ("c", "of c")]
    for sent in store.sent:
        assert (sent.method, sent.url, sent.query["prefix"]) == ("GET", AT, "farm/")
        assert "uploads" in sent.query
        assert int(sent.query["max-uploads"]) <= 1000, "S3 gives no more"


# What is made of answers


def put(bucket: Bucket) -> object:
    return bucket.put("a", b"", md5=MD5)


def get(bucket: Bucket) -> object:
    return bucket.get("a")


def listed(bucket: Bucket) -> object:
    return list(bucket.listed(""))


WITHOUT: list[tuple[Callable[[Bucket], object], dict[str, str], str]] = [
    (put, {}, "ETag, put_object"),
    (get, {}, "ETag, get_object"),
    (lambda bucket: bucket.head("a"), {}, "ETag, head_object"),
    (lambda bucket: bucket.head("a"), {"ETag": ETAG}, "ContentLength, head_object"),
    (
        lambda bucket: bucket.head("a"),
        {"ETag": ETAG, "Content_Length": "1"},
        "LastModified, head_object",
    ),
    (listed, {}, "IsTruncated, list_objects_v2"),
    (Bucket.check, {}, "IsTruncated, list_objects_v2"),
    (lambda bucket: bucket.copy("a", "b"), {}, "ETag, copy_object"),
    (lambda bucket: bucket.begin_parts("a"), {}, "UploadId, create_multipart_upload"),
    (lambda bucket: bucket.put_part("a", "u", 1, b"", md5=MD5), {}, "ETag, upload_part"),
    (lambda bucket: bucket.join_parts("a", "u", []), {}, "ETag, complete_multipart_upload"),
    (lambda bucket: list(bucket.begun()), {}, "IsTruncated, list_multipart_uploads"),
]


@pytest.mark.parametrize(("call", "told", "left_out"), WITHOUT, ids=[one[2] for one in WITHOUT])
def test_an_answer_without_what_every_store_says_is_none_of_a_store(
    call: Callable[[Bucket], object], told: dict[str, str], left_out: str, store: Canned, bucket: Bucket
) -> None:
    store.answer(body="<html>Welcome</html>", also=told)
    with pytest.raises(BucketError, match=f"none \\(without {left_out}\\)"):
        call(bucket)


@pytest.mark.parametrize("code", ["NoSuchKey", "NotFound", "404"])
def test_a_name_that_is_not_there_is_missing_and_a_bucket_that_is_not_there_is_told_as_that(
    code: str, store: Canned, bucket: Bucket
) -> None:
    for call in (get, lambda bucket: bucket.copy("b", "a")):
        store.refuse(404, code)
        with pytest.raises(FileNotFoundError, match="a"):
            call(bucket)
    for call in (Bucket.check, listed):
        store.refuse(404, code)
        with pytest.raises(NoBucketError, match=f"its object store refuses \\({code}, list_objects_v2\\)"):
            call(bucket)


def test_a_name_is_missing_only_where_the_bucket_is_there(store: Canned, bucket: Bucket) -> None:
    store.answer(404)
    store.answer(body=listing(""))
    with pytest.raises(FileNotFoundError):
        bucket.head("a")
    store.answer(404)
    store.refuse(404, "NoSuchBucket")
    with pytest.raises(NoBucketError, match="the bucket contents of its object store is gone"):
        bucket.head("a")


REASONS = [
    (404, "NoSuchBucket", NoBucketError, "the bucket contents of its object store is gone (NoSuchBucket, "),
    (
        403,
        "RequestTimeTooSkewed",
        BucketError,
        "the clock of its machine is not that of its object store: set it (RequestTimeTooSkewed, ",
    ),
    (401, "Odd", BucketError, "its object store refuses the server's credentials (Odd, "),
    (403, "AccessDenied", BucketError, "its object store refuses the server's credentials (AccessDenied, "),
    (429, "Odd", BucketError, "its object store is overloaded (Odd, "),
    (503, "Odd", BucketError, "its object store is overloaded (Odd, "),
    *(
        (400, code, BucketError, f"its object store is overloaded ({code}, ")
        for code in (
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
            "RequestLimitExceeded",
        )
    ),
    (400, "Odd.Code", BucketError, "its object store refuses (Odd.Code, "),
    (500, "InternalError", BucketError, "its object store refuses (InternalError, "),
    (418, "a name: &lt;b&gt;", BucketError, "its object store refuses (an unknown code, "),
]


@pytest.mark.parametrize(("status", "code", "kind", "reason"), REASONS)
def test_why_a_store_refuses_is_said_in_words_of_ours(
    status: int, code: str, kind: type[BucketError], reason: str, store: Canned, bucket: Bucket
) -> None:
    for call, operation in ((put, "put_object"), (Bucket.check, "list_objects_v2")):
        store.refuse(status, code)
        with pytest.raises(BucketError) as refused:
            call(bucket)
        assert type(refused.value) is kind
        assert str(refused.value) == f"{reason}{operation})"


def failing(name: str, **details: Any) -> Exception:
    errors: Any = importlib.import_module("botocore.exceptions")
    error: Exception = getattr(errors, name)(**details)
    return error


@pytest.mark.parametrize(
    ("name", "details", "reason"),
    [
        (
            "EndpointConnectionError",
            {"endpoint_url": ENDPOINT},
            "its object store does not answer (EndpointConnectionError, put_object)",
        ),
        (
            "HTTPClientError",
            {"error": ENDPOINT},
            "its object store does not answer (HTTPClientError, put_object)",
        ),
        (
            "NoCredentialsError",
            {},
            (
                "nothing says who this is to its object store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "AWS_PROFILE (put_object)"
            ),
        ),
    ],
)
def test_why_nothing_was_answered_is_said_in_words_of_ours(
    name: str, details: dict[str, Any], reason: str, store: Canned, bucket: Bucket
) -> None:
    store.fail(failing(name, **details))
    with pytest.raises(BucketError) as refused:
        put(bucket)
    assert str(refused.value) == reason


def test_a_store_that_sends_on_and_on_is_told_so(store: Canned, bucket: Bucket) -> None:
    store.fail(RecursionError())
    with pytest.raises(BucketError, match=r"sends on to another place \(redirected, put_object\)"):
        put(bucket)


def test_a_body_that_breaks_off_is_not_taken_for_whole(store: Canned, bucket: Bucket) -> None:
    store.answer(body=b"abc", ETag=ETAG, Content_Length="9")
    body = bucket.get("a")
    assert bucket.read(body, 3) == b"abc"
    with pytest.raises(BucketError, match=r"does not answer \(\w+, get_object\)"):
        bucket.read(body, 3)


def test_a_store_that_fails_is_asked_three_times_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    store = Canned()
    bucket = store.bucket()
    for _ in range(2):
        store.refuse(500, "InternalError")
    store.answer(ETag=ETAG)
    assert put(bucket) == CALLED
    for _ in range(TRIES):
        store.refuse(500, "InternalError")
    with pytest.raises(BucketError, match="InternalError"):
        put(bucket)
    assert len(store.sent) == 3 + TRIES == 6


# How many calls go on at once


@pytest.fixture
def busy(store: Canned, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket with one call at once; who finds none free is soon told so."""
    monkeypatch.setattr(bucket_module, "MOST_CALLS", 1)
    monkeypatch.setattr(bucket_module, "READ_S", 0.001)
    return store.bucket()


def refused_a_turn(bucket: Bucket) -> None:
    with pytest.raises(BucketError, match="does not answer those who came before"):
        bucket.delete("b")


def test_who_finds_no_turn_is_refused_and_works_at_nothing_while_it_waits(
    store: Canned, busy: Bucket
) -> None:
    waited: list[str] = []

    @contextmanager
    def waiting() -> Iterator[None]:
        waited.append("it waits")
        yield

    busy.wait_by(waiting)
    store.answer(ETag=ETAG)
    store.meanwhile(lambda: refused_a_turn(busy))
    assert put(busy) == CALLED
    assert waited == ["it waits"]
    store.answer(204)
    busy.delete("b")
    assert len(store.sent) == 2, "the first call gave its turn back"


def test_reading_a_body_takes_a_turn_for_as_long_as_it_waits_for_bytes(store: Canned, busy: Bucket) -> None:
    class Body:
        def read(self, size: int) -> bytes:
            refused_a_turn(busy)
            return b"x" * size

    assert busy.read(Body(), 3) == b"xxx"
    store.answer(204)
    busy.delete("b")


def test_a_turn_is_waited_for_as_long_as_a_call_may_take_with_all_its_tries(
    store: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    patiences: list[float] = []

    def noted(most: int, patience_s: float) -> Any:
        patiences.append(patience_s)
        return FewAtOnce(most, patience_s)

    monkeypatch.setattr(bucket_module, "FewAtOnce", noted)
    monkeypatch.setattr(bucket_module, "TRIES", 3)
    monkeypatch.setattr(bucket_module, "READ_S", 20)
    store.bucket()
    assert patiences == [60]


# The client


@pytest.mark.parametrize(
    ("environment", "endpoint", "url"),
    [
        ({}, None, "https://contents.s3.amazonaws.com/farm/a"),
        ({"AWS_ENDPOINT_URL": "http://other.example"}, None, "http://other.example/contents/farm/a"),
        ({}, "http://store.example", "http://store.example/contents/farm/a"),
        ({"AWS_ENDPOINT_URL": "http://other.example"}, "https://s:1", "https://s:1/contents/farm/a"),
    ],
)
def test_the_name_of_the_bucket_is_in_the_path_but_at_aws_itself(
    environment: dict[str, str],
    endpoint: str | None,
    url: str,
    store: Canned,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever a file of AWS's programs says of their ways."""
    own = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(own))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for style in ("auto", "path" if endpoint is None and not environment else "virtual"):
        own.write_text(f"[default]\ns3 =\n  addressing_style = {style}\n")
        store.answer(204)
        store.bucket(endpoint=endpoint).delete("a")
    assert [sent.url for sent in store.sent] == [url, url]


@pytest.mark.parametrize(("given_", "region"), [(None, "us-east-1"), ("eu-west-3", "eu-west-3")])
def test_requests_are_signed_for_the_region_of_the_account_if_it_has_one(
    given_: str | None, region: str, store: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given_ is not None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", given_)
    store.answer(204)
    store.bucket().delete("a")
    assert f"/{region}/s3/aws4_request" in store.sent[0].headers["authorization"]


def test_no_store_is_sent_sums_that_it_may_not_know(store: Canned, bucket: Bucket) -> None:
    store.answer(ETag=ETAG)
    store.answer(body=b"", ETag=ETAG)
    put(bucket)
    get(bucket)
    assert not [name for sent in store.sent for name in sent.headers if "checksum" in name]


@pytest.mark.parametrize(
    "endpoint",
    ["localhost:9000", "ftp://store.example", "http://", "http://s:99999", "http://s:0", "http://["],
)
def test_an_endpoint_is_a_url_with_a_host_and_perhaps_a_port(endpoint: str, store: Canned) -> None:
    with pytest.raises(LocationError, match="of the endpoint must be a URL, http:// or https:// with a host"):
        store.bucket(endpoint=endpoint)


@pytest.mark.parametrize("user", ["me", "me:a-secret", ":a-secret", ""])
def test_an_endpoint_has_neither_a_user_nor_a_password(user: str, store: Canned) -> None:
    with pytest.raises(LocationError, match="has a user or a password") as refused:
        store.bucket(endpoint=f"http://{user}@store.example")
    assert "a-secret" not in str(refused.value)


def test_what_the_library_refuses_is_a_sentence_without_what_it_says(store: Canned) -> None:
    with pytest.raises(LocationError, match="cannot be reached: ValueError, look at the AWS_ variables"):
        store.bucket(endpoint="http://a store")


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    with pytest.raises(LocationError, match=r"needs pip install 'conductor-mock\[s3\]'"):
        Bucket(Location(NAME, ""), ENDPOINT)


# Places


@given(st.text(max_size=80))
@example("s3://bucket")
@example("s3://bucket/a/b/")
@example("s3://bucket/a//b")
@example("s3://bucket/../x?")
@example("s3://user:secret@bucket/x")
def test_a_place_is_a_bucket_and_a_prefix_or_a_sentence(text: str) -> None:
    for given_ in (text, f"s3://{text}", f"s3://bucket/{text}"):
        try:
            location = Location.parse(given_)
        except LocationError:
            continue
        assert Location.parse(str(location)) == location
        assert not location.prefix or location.prefix.endswith("/")
        assert "//" not in location.prefix


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket//farm/a/", "s3://bucket/farm/a"),
        ("s3://bucket/X/X/", "s3://bucket/X/X"),
        (f"s3://bucket/{'a' * 500}", f"s3://bucket/{'a' * 500}"),
    ],
)
def test_a_place_of_contents_is_shown_as_people_write_it(given_: str, shown: str) -> None:
    location = Location.parse(given_)
    assert str(location) == shown
    assert location.prefix == "" or location.prefix.endswith("/")


@pytest.mark.parametrize(
    "given_", [f"s3://bucket/{'a' * 501}", "s3://bucket/a//b", "s3://bucket/X a", "s3:/b", ""]
)
def test_what_is_no_place_of_contents_is_refused(given_: str) -> None:
    with pytest.raises(LocationError, match="must be s3://BUCKET or s3://BUCKET/PREFIX"):
        Location.parse(given_)
