"""Contents in a bucket: what goes wrong with a store, whose prefix it is, and what commands make of it."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conductor_mock.auth.signing import Grant
from conductor_mock.cli.program import main
from conductor_mock.farm.ids import account_id
from conductor_mock.settings import Settings, SettingsError
from conductor_mock.store import bucket_sending, bucket_sweeper
from conductor_mock.store.bucket import Bucket, BucketError, Location
from conductor_mock.store.bucket_objects import FEW, BucketObjects, name_of
from conductor_mock.store.bucket_sending import PART
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.fetched import Fetched
from conductor_mock.store.small_contents import SMALL_BYTES
from support.buckets import ACCOUNT, NAME, Trouble, endpoint, store_in_bucket, troubled
from support.execution import executing
from support.server import ORIGIN, Fake, candidate, md5_of, running

CONTENT = b"the content of a file" * (SMALL_BYTES // 20)
NOBODYS = b"nobody's" * (SMALL_BYTES // 7)
SMALL = b"a small content"
SECRET = ACCOUNT["AWS_SECRET_ACCESS_KEY"]


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trouble]:
    """A store that can be troubled; each call is tried once."""
    monkeypatch.setattr("conductor_mock.store.bucket.TRIES", 1)
    with troubled() as trouble:
        yield trouble


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """A prefix of the test's own."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    return f"s3://{NAME}/{name}"


@contextmanager
def serving(place: str, data: Path, url: str | None = None) -> Iterator[Fake]:
    with running(data_dir=data, objects=place, objects_endpoint=url or endpoint()) as fake:
        yield fake


def objects_of(fake: Fake) -> BucketObjects:
    assert isinstance(fake.service.objects, BucketObjects)
    return fake.service.objects


def test_a_server_with_a_bucket_keeps_no_content_itself_and_another_one_on_its_data_finds_all(
    place: str, tmp_path: Path
) -> None:
    large = bytes(range(256)) * (PART // 256 + 1)
    with serving(place, tmp_path) as fake:
        caller = fake.caller()
        caller.upload("/proj/a.ma", CONTENT)
        caller.upload("/proj/large", large)
        jid = caller.submit(metadata={"notes": "x" * 70_000}).json()["jobid"]
        assert fake.anonymous().get("/_mock/health").status == 200
    assert not [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    with serving(place, tmp_path) as fake:
        assert fake.caller().files() == {"/proj/a.ma": md5_of(CONTENT), "/proj/large": md5_of(large)}
        shown = fake.caller().get(f"/_mock/jobs/{int(jid)}").json()
        assert shown["payload"]["metadata"] == {"notes": "x" * 70_000}
        assert fake.service.objects.read(digest(large)) == large


TROUBLES = {
    "403": (403, "AccessDenied", "refuses the server's credentials (AccessDenied"),
    "gone": (404, "NoSuchBucket", "is gone"),
    "slow": (503, "SlowDown", "is overloaded (SlowDown"),
    "throttled": (429, "TooManyRequests", "is overloaded"),
    "500": (500, "InternalError", "refuses (InternalError"),
    "closed": (0, "", "does not answer (ConnectionClosedError"),
    "another clock": (
        403,
        "RequestTimeTooSkewed",
        "the clock of its machine is not that of its object store",
    ),
    "redirected": (301, "PermanentRedirect", "its object store sends on to another place"),
    "a proxy": (200, "Welcome", "what answers for its object store is none"),
    "odd": (418, "&lt;b&gt;", "an unknown code"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_the_store_refuses_is_503_with_its_reason_and_goes_on_afterwards(
    name: str, place: str, tmp_path: Path, trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    status, code, reason = TROUBLES[name]
    with serving(place, tmp_path, trouble.url) as fake, caplog.at_level(logging.INFO):
        caller = fake.caller()
        url = caller.upload_url("/proj/a.ma", CONTENT)
        trouble.always = (status, code)

        answers = [caller.put(url, CONTENT), fake.anonymous().get("/_mock/health")]
        for answer in answers:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert reason in answer.message
            assert SECRET not in answer.message
        assert reason in caplog.text
        assert SECRET not in caplog.text
        assert caller.files() == {}

        trouble.always = None
        assert caller.put(url, CONTENT).status == 200
        assert caller.files() == {"/proj/a.ma": md5_of(CONTENT)}


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
def test_what_a_proxy_answers_for_the_store_is_believed_by_nobody(
    method: str, place: str, tmp_path: Path, trouble: Trouble
) -> None:
    large = bytes(PART + 1)
    with serving(place, tmp_path, trouble.url) as fake:
        caller = fake.caller()
        url = caller.upload_url("/proj/large", large)
        caller.upload("/proj/a.ma", CONTENT)
        trouble.answers = [(method, 200, "Welcome")] * 2
        if method == "GET":
            with pytest.raises(BucketError, match=r"is none \(without ETag, get_object\)"):
                fake.service.objects.read(digest(CONTENT))
        else:
            answer = caller.put(url, large)
            assert (answer.status, "what answers for its object store is none" in answer.message) == (
                503,
                True,
            )
        trouble.answers = []
        assert fake.service.objects.read(digest(CONTENT)) == CONTENT, "it was not taken for damaged"
        assert caller.put(url, large).status == 200


def test_a_store_that_is_down_is_a_sentence_at_the_start(
    place: str, tmp_path: Path, trouble: Trouble
) -> None:
    trouble.always = (503, "SlowDown")
    with (
        pytest.raises(SettingsError, match=f"--objects {place}: its object store is overloaded"),
        serving(place, tmp_path, trouble.url),
    ):
        pass


def test_a_start_without_credentials_says_which_variables_to_set(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    nowhere = str(tmp_path / "none")
    own = {
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_CONFIG_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(SettingsError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        serving(place, tmp_path),
    ):
        pass


@pytest.mark.parametrize("path", ["", "/", "/nowhere", f"/{NAME}", f"/{NAME}/deep"])
@pytest.mark.parametrize("bucket", [NAME, "not-there"])
def test_a_bucket_that_is_not_at_the_endpoint_is_told_at_the_start_with_what_to_do(
    path: str, bucket: str, place: str, tmp_path: Path
) -> None:
    url = f"{endpoint()}{path}"
    where = place.replace(NAME, bucket)
    if bucket == NAME and path in ("", "/"):
        with serving(where, tmp_path, url):
            return
    with pytest.raises(SettingsError) as refused, serving(where, tmp_path, url):
        pass

    said = str(refused.value)
    assert f"there is no bucket {bucket} at the store (--objects-endpoint {url}): make the bucket" in said
    assert "without a bucket in its path" in said


def test_a_store_that_fails_once_is_asked_again(tmp_path: Path) -> None:
    with troubled() as trouble:
        store = store_in_bucket(tmp_path, trouble.url)
        trouble.answers = [("PUT", 500, "InternalError")]
        store.put(io.BytesIO(CONTENT), md5=digest(CONTENT), size=len(CONTENT))

        assert store.read(digest(CONTENT)) == CONTENT


@pytest.mark.parametrize("size", [5, PART + 1])
def test_bytes_that_become_others_on_the_way_to_the_store_are_not_acknowledged(
    size: int, tmp_path: Path, trouble: Trouble
) -> None:
    """The store in these tests ignores Content-MD5, as some do: its ETag tells."""
    store, content = store_in_bucket(tmp_path, trouble.url), b"x" * size
    trouble.flips = True

    with pytest.raises(BucketError, match="other bytes than it was sent"):
        store.put(io.BytesIO(content), md5=digest(content), size=size)

    assert not store.has(digest(content))


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_large_content_whose_parts_or_join_fail_is_not_there_and_nothing_is_left_begun(
    method: str, tmp_path: Path, trouble: Trouble
) -> None:
    store, content = store_in_bucket(tmp_path, trouble.url), b"x" * (PART + 1)
    if method == "PUT":
        trouble.answers = [("PUT", 500, "InternalError")]
        with pytest.raises(BucketError):
            store.put(io.BytesIO(content), md5=digest(content), size=len(content))
    else:
        with store.receive(io.BytesIO(content), md5=digest(content)) as new:
            begin = store.bucket.begin_parts

            def begin_and_fail_to_join(name: str) -> str:
                upload = begin(name)
                trouble.answers = [("POST", 500, "InternalError")]
                return upload

            store.bucket.begin_parts = begin_and_fail_to_join  # type: ignore[method-assign]
            with pytest.raises(BucketError), new.placed():
                raise AssertionError("it was placed")

    assert not store.has(digest(content))
    assert list(store.bucket.begun()) == []


def test_what_a_killed_server_had_begun_in_parts_is_nowhere_and_is_given_up_by_the_sweeper(
    tmp_path: Path,
) -> None:
    store = store_in_bucket(tmp_path)
    upload = store.bucket.begin_parts(name_of(digest(CONTENT)))
    store.bucket.put_part(name_of(digest(CONTENT)), upload, 1, CONTENT, md5=digest(CONTENT))

    assert not store.has(digest(CONTENT))
    assert store.forget_abandoned() == 1
    assert list(store.bucket.begun()) == []


class _Counting(Bucket):
    """A store that keeps nothing but the sizes of what it is sent."""

    def __init__(self) -> None:
        self.location = Location("counting", "")
        self.sizes: list[int] = []
        self.etags: list[bytes] = []

    def begin_parts(self, name: str) -> str:
        return "upload"

    def put_part(self, name: str, upload: str, number: int, body: bytes, *, md5: bytes) -> str:
        self.sizes.append(len(body))
        self.etags.append(md5)
        return md5.hex()

    def join_parts(self, name: str, upload: str, etags: list[str]) -> str:
        assert etags == [etag.hex() for etag in self.etags]
        return f"{digest(b''.join(self.etags)).hex()}-{len(etags)}"


def test_a_large_content_is_sent_in_no_more_parts_than_a_store_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_sending, "PART", 100)
    monkeypatch.setattr(bucket_sending, "MOST_PARTS", 7)
    bucket = _Counting()
    store, content = BucketObjects(tmp_path, bucket, most_fetched=0), bytes(1001)
    store.put(io.BytesIO(content), md5=digest(content), size=len(content))

    assert sum(bucket.sizes) == len(content)
    assert len(bucket.sizes) == 7


def test_a_range_asks_the_store_for_no_more_than_the_range(place: str, tmp_path: Path) -> None:
    with troubled() as trouble, serving(place, tmp_path, trouble.url) as fake:
        caller = fake.caller()
        caller.upload("/proj/a.ma", CONTENT)
        there = fake.service.objects.look_up(digest(CONTENT))
        trouble.seen.clear()
        with there.open_part(4, 7) as part:
            assert part.read() == b"content"
        assert len(trouble.seen) == 1


def numbered(number: int) -> bytes:
    return b"%d" % number + bytes(SMALL_BYTES)


def test_a_small_content_needs_no_store(place: str, tmp_path: Path, trouble: Trouble) -> None:
    with serving(place, tmp_path, trouble.url) as fake:
        trouble.always = (503, "SlowDown")
        trouble.seen.clear()
        caller = fake.caller()
        caller.upload("/proj/small", SMALL)
        assert caller.files() == {"/proj/small": md5_of(SMALL)}
        assert fake.service.objects.read(digest(SMALL)) == SMALL
        assert fake.service.contents.held(account_id(caller.client_id), [md5_of(SMALL)]) == {md5_of(SMALL)}
        assert trouble.seen == []


def test_a_job_with_many_files_does_not_ask_the_store_for_each(place: str, tmp_path: Path) -> None:
    with troubled() as trouble, serving(place, tmp_path, trouble.url) as fake:
        caller = fake.caller()
        for number in range(30):
            caller.upload(f"/proj/{number}", numbered(number))
        account = account_id(caller.client_id)
        trouble.seen.clear()
        md5s = [md5_of(numbered(number)) for number in range(30)]
        assert fake.service.contents.held(account, md5s) == set(md5s)
        assert len(trouble.seen) == 2, "whether it is the bucket that it was, and what is set aside"


LARGE = bytes(range(256)) * (PART // 256 + 1)


def flipped(body: bytes) -> bytes:
    return bytes(byte ^ 1 for byte in body)


def cut_in_the_middle(body: bytes) -> bytes:
    return body[: len(body) // 2]


def cut_at_once(body: bytes) -> bytes:
    return b""


WAYS = [flipped, cut_in_the_middle, cut_at_once]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["at once", "in parts"])
def test_what_becomes_something_else_on_its_way_from_the_store_is_no_damage_of_it(
    content: bytes, way: Callable[[bytes], bytes], trouble: Trouble, place: str, tmp_path: Path
) -> None:
    with serving(place, tmp_path, trouble.url) as fake:
        fake.caller().upload("/a", content)
        trouble.way = way
        with pytest.raises(BucketError), fake.service.objects.open(digest(content)) as body:
            body.read()
        trouble.way = None
        assert fake.service.objects.read(digest(content)) == content
        assert not list(objects_of(fake).bucket.listed("damaged/"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("asked", ["all", "by its path"])
def test_whoever_asks_for_what_does_not_come_whole_gets_503_before_a_byte_of_it(
    asked: str, way: Callable[[bytes], bytes], trouble: Trouble, place: str, tmp_path: Path
) -> None:
    assert_is_503(asked, way, trouble, place, tmp_path)


def test_whoever_asks_for_a_range_of_what_does_not_come_gets_503(
    trouble: Trouble, place: str, tmp_path: Path
) -> None:
    assert_is_503("a range", cut_at_once, trouble, place, tmp_path)


def assert_is_503(
    asked: str, way: Callable[[bytes], bytes], trouble: Trouble, place: str, tmp_path: Path
) -> None:
    with serving(place, tmp_path, trouble.url) as fake:
        caller = fake.caller()
        caller.upload("/a", CONTENT)
        trouble.way = way
        if asked == "by its path":
            query = {"account": caller.client_id, "path": "/a"}
            answer = caller.get("/_mock/files/content", query=query)
        else:
            path = f"/objects/{account_id(caller.client_id)}/{digest(CONTENT).hex()}/a"
            url = fake.service.signer.url(ORIGIN, Grant("GET", path, None, 2_000_000_000))
            answer = caller.get(url, headers={} if asked == "all" else {"Range": "bytes=10-"})
        assert answer.status == 503, answer
        assert answer.headers["Retry-After"] == "1"


def test_a_store_that_sends_another_part_than_it_was_asked_for_is_not_believed(
    trouble: Trouble, place: str, tmp_path: Path
) -> None:
    with serving(place, tmp_path, trouble.url) as fake:
        fake.caller().upload("/a", CONTENT)
        there = fake.service.objects.look_up(digest(CONTENT))
        trouble.drops_ranges = True
        for first, count in ((0, 1), (1, len(CONTENT) - 1), (0, len(CONTENT) - 1), (len(CONTENT) - 1, 1)):
            with pytest.raises(BucketError, match="another part"):
                there.open_part(first, count)


def test_a_bucket_that_was_emptied_is_not_ready_and_nothing_is_taken_for_missing_until_it_is_restored(
    place: str, tmp_path: Path
) -> None:
    with serving(place, tmp_path) as fake:
        caller = fake.caller()
        paths = {f"/{number}": CONTENT + bytes([number]) for number in range(FEW + 1)}
        for path, content in paths.items():
            caller.upload(path, content)
        fake.service.readiness.begin()
        bucket = objects_of(fake).bucket
        before = {found.name: bucket.get(found.name).read() for found in bucket.listed("")}
        for name in before:
            bucket.delete(name)
        refused = fake.anonymous().get("/_mock/health/ready")
        assert (refused.status, "the object store was emptied" in refused.message) == (503, True)
        for asked in (list(paths.items()), list(paths.items())[:1]):
            body = {"upload_files": [candidate(path, content) for path, content in asked]}
            refused = caller.post("/api/v2/files/get_upload_urls", body)
            assert (refused.status, b"restore it" in refused.content) == (503, True), refused
        for name, content in before.items():
            bucket.put(name, content, md5=digest(content))
        assert fake.anonymous().get("/_mock/health/ready").status == 200
        assert [fake.service.objects.read(digest(content)) for content in paths.values()] == [*paths.values()]


def test_damaged_contents_of_a_bucket_are_named_set_aside_and_asked_for_again(
    place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(place, tmp_path) as fake:
        caller = fake.caller()
        caller.upload("/proj/a.ma", CONTENT)
        bucket = objects_of(fake).bucket
        bucket.put(name_of(digest(CONTENT)), b"other", md5=digest(b"other"))
        with pytest.raises(FileNotFoundError, match="was damaged"):
            fake.service.objects.read(digest(CONTENT))

        assert f"damaged/{digest(CONTENT).hex()}" in caplog.text
        with bucket.get(f"damaged/{digest(CONTENT).hex()}") as body:
            assert body.read() == b"other"
        url = caller.upload_url("/proj/a.ma", CONTENT)
        assert caller.put(url, CONTENT).status == 200
        assert fake.service.objects.read(digest(CONTENT)) == CONTENT


# Whose prefix it is


def test_a_second_database_does_not_get_the_prefix_of_a_first_one(place: str, tmp_path: Path) -> None:
    with serving(place, tmp_path / "one") as fake:
        fake.caller().upload("/proj/a.ma", CONTENT)
        with (
            pytest.raises(DatabaseError, match="was not used with"),
            serving(place, tmp_path / "other"),
        ):
            pass
        assert fake.service.sweeping is not None
        assert fake.service.sweeping.sweep() == 0
        assert fake.service.objects.read(digest(CONTENT)) == CONTENT


def test_a_database_does_not_go_without_its_bucket_or_to_another_one(place: str, tmp_path: Path) -> None:
    with serving(place, tmp_path):
        pass
    with (
        pytest.raises(DatabaseError, match="lie in a bucket: give its --objects"),
        running(data_dir=tmp_path),
    ):
        pass
    with pytest.raises(DatabaseError, match="has no file 'belongs'"), serving(f"{place}-other", tmp_path):
        pass
    with serving(place, tmp_path):
        pass


def test_a_database_with_contents_in_its_directory_does_not_start_with_a_bucket(
    place: str, tmp_path: Path
) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.caller().upload("/proj/a.ma", b"x" * 500_000)
    with pytest.raises(DatabaseError, match="its data directory has them"), serving(place, tmp_path):
        pass


def test_a_server_that_was_killed_while_it_claimed_the_prefix_starts_again(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Bucket.put

    def killed(self: Bucket, name: str, body: bytes, *, md5: bytes, is_new: bool = False) -> str:
        put(self, name, body, md5=md5, is_new=is_new)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "put", killed)
        with pytest.raises(KeyboardInterrupt), serving(place, tmp_path):
            pass
    with serving(place, tmp_path) as fake:
        fake.caller().upload("/proj/a.ma", CONTENT)


# Sweeping, checking, copying


@pytest.mark.parametrize("is_old", [True, False])
def test_only_what_has_been_there_for_a_while_is_swept(
    is_old: bool, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(place, tmp_path) as fake:
        fake.caller().upload("/proj/a.ma", CONTENT)
        fake.service.objects.put(io.BytesIO(NOBODYS), md5=digest(NOBODYS), size=len(NOBODYS))
        fake.service.objects.put(io.BytesIO(SMALL), md5=digest(SMALL), size=len(SMALL))
        if is_old:
            monkeypatch.setattr(bucket_sweeper, "GRACE_S", -1)
        assert fake.service.sweeping is not None
        assert fake.service.sweeping.sweep() == 1 + is_old, "what is small has its row at once"
        assert fake.service.objects.has(digest(NOBODYS)) != is_old
        assert not fake.service.objects.has(digest(SMALL))
        assert fake.service.objects.read(digest(CONTENT)) == CONTENT


def command(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def test_prune_check_and_backup_know_the_bucket(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, where = tmp_path / "data", ("--objects", place, "--objects-endpoint", endpoint())
    options = ("--data-dir", str(data), *where)
    with serving(place, data) as fake:
        fake.caller().upload("/proj/a.ma", CONTENT)
        fake.caller().upload("/proj/b.ma", b"other")
        for nobodys in (NOBODYS, SMALL):
            fake.service.objects.put(io.BytesIO(nobodys), md5=digest(nobodys), size=len(nobodys))
        bucket = objects_of(fake).bucket
    monkeypatch.setattr(bucket_sweeper, "GRACE_S", -1)

    assert "lie in a bucket" in command("check", "--data-dir", str(data)).output
    assert "lie in a bucket" in command("backup", "--data-dir", str(data), str(tmp_path / "none")).output
    assert command("prune", "--dry-run", *options).output.startswith("would remove 2 contents and 0 parts")
    assert command("prune", *options).output.startswith("removed 2 contents and 0 parts")
    assert command("prune", *options).output.startswith("removed 0 contents")
    assert command("check", *options).output.startswith("0 damaged")
    copied = command("backup", *options, str(tmp_path / "copy"))
    assert "3 contents" in copied.output, "two files and a snapshot"
    with running(data_dir=tmp_path / "copy") as fake:
        assert fake.caller().files() == {"/proj/a.ma": md5_of(CONTENT), "/proj/b.ma": md5_of(b"other")}
        assert fake.service.objects.read(digest(CONTENT)) == CONTENT

    bucket.put(name_of(digest(CONTENT)), b"wrong", md5=digest(b"wrong"))
    said = command("check", *options)
    assert said.exit_code == 1
    assert f"the content {md5_of(CONTENT)} in {place} is not what was stored" in said.output
    assert command("check", "--repair", *options).exit_code == 0
    with serving(place, data) as fake:
        assert fake.caller().files() == {"/proj/b.ma": md5_of(b"other")}


# The options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objects": "bucket/prefix"}, "--objects must be s3://BUCKET"),
        ({"objects": "s3://bucket", "ephemeral": True}, "leave one of them out"),
        ({"objects": "s3://bucket", "objects_endpoint": "localhost:9000"}, "must be a URL"),
        (
            {"objects": "s3://bucket", "objects_endpoint": f"http://me:{SECRET}@x:1"},
            "has a user or a password",
        ),
    ],
)
def test_what_cannot_be_a_place_for_contents_is_a_sentence(
    options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    given_: dict[str, Any] = {"data_dir": tmp_path, **options}
    with pytest.raises(SettingsError, match=said) as refused, running(**given_):
        pass
    assert SECRET not in str(refused.value)


def test_without_the_library_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "botocore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "botocore", None)
    wanted = "pip install 'conductor-mock\\[s3\\]'"
    with pytest.raises(SettingsError, match=wanted), running(data_dir=tmp_path, objects="s3://bucket"):
        pass
    assert Settings(objects="s3://bucket").objects is not None


# Tasks that run for real


def test_tasks_that_run_for_real_get_their_files_from_the_bucket_once(place: str, tmp_path: Path) -> None:
    with (
        troubled() as trouble,
        executing(tmp_path / "data", objects=place, objects_endpoint=trouble.url) as render,
    ):
        content = b"scene" * (SMALL_BYTES // 5 + 1)
        scene = render.upload("/proj/a.txt", content)
        trouble.seen.clear()
        job = render.run(
            *[f"cat /proj/a.txt /proj/a.txt > /proj/out/{n}" for n in range(3)], upload_files=[scene]
        )

        assert job["status"] == "success"
        assert render.contents(job["jid"]) == {f"{n}": content * 2 for n in range(3)}
        name = name_of(digest(content))
        assert len([one for one in trouble.seen if one.startswith("GET") and one.endswith(name)]) == 1


def test_what_tasks_need_is_kept_up_to_a_bound_and_can_be_read_when_it_has_gone(tmp_path: Path) -> None:
    kept = Fetched(tmp_path, 10)
    fetched: list[bytes] = []

    def open_(content: bytes) -> io.BufferedIOBase:
        def blocks() -> Iterator[bytes]:
            fetched.append(content)
            yield content

        return kept.open(digest(content), blocks, len(content))  # type: ignore[return-value]

    with open_(b"12345") as first, open_(b"67890"), open_(b"abcde") as third, open_(b"x" * 11) as large:
        assert first.read() == b"12345"
        assert third.read() == b"abcde"
        assert large.read() == b"x" * 11
    assert sum(path.stat().st_size for path in (tmp_path / "fetched").iterdir()) == 10
    with open_(b"67890"), open_(b"12345"):
        pass
    assert fetched == [b"12345", b"67890", b"abcde", b"x" * 11, b"12345"]
