"""Signed URLs: they work as they are, for as long as they say, and cannot be bent to anything else."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, run_wsgi_app

from conductor_mock.auth.signing import Grant, SignatureError, Signer
from conductor_mock.farm.ids import account_id
from support.server import ORIGIN, SECOND, START_US, Fake, md5_of, running

CONTENT = b"the content of a file"

grants = st.builds(
    Grant,
    method=st.sampled_from(["GET", "PUT"]),
    path=st.from_regex(r"/objects/5[0-9]{15}/[0-9a-f]{32}", fullmatch=True),
    size=st.none() | st.integers(0, 2**62),
    expires_s=st.integers(0, 2**40),
)


@given(grants, grants)
def test_a_signature_fits_the_grant_that_it_was_made_for_and_no_other(one: Grant, other: Grant) -> None:
    assume(one != other)
    signer = Signer(b"key")
    signature = dict(parse_qsl(urlsplit(signer.url(ORIGIN, one)).query))["signature"]

    signer.check(one, signature, now_s=one.expires_s)
    with pytest.raises(SignatureError, match="does not fit"):
        signer.check(other, signature, now_s=0)
    with pytest.raises(SignatureError, match="does not fit"):
        Signer(b"another key").check(one, signature, now_s=0)


@given(grants)
def test_a_url_is_absolute_and_holds_nothing_that_would_change_the_style_of_an_upload(grant: Grant) -> None:
    """Clients search the text for names of storage providers (trap 11)."""
    url = Signer(b"key").url(ORIGIN, grant)

    assert url.startswith(f"{ORIGIN}{grant.path}?")
    assert "amazonaws" not in url
    assert "coreweave" not in url


def test_the_file_name_is_not_in_the_url(fake: Fake) -> None:
    url = fake.caller().upload_url("/proj/amazonaws-coreweave.ma", CONTENT)

    assert "amazonaws" not in url
    assert "coreweave" not in url


PARTS = ("account", "md5", "expires", "size", "signature")


def bend(url: str, part: str, change: Any) -> str:
    """The URL with one part changed by `change`, a function from its text."""
    split = urlsplit(url)
    _, objects, account, md5 = split.path.split("/")
    query = dict(parse_qsl(split.query))
    if part == "account":
        account = change(account)
    elif part == "md5":
        md5 = change(md5)
    else:
        query[part] = change(query[part])
    return f"{ORIGIN}/{objects}/{account}/{md5}?{urlencode(query)}"


@given(st.sampled_from(PARTS), st.integers(0, 100), st.sampled_from("0123456789abcdef"))
def test_a_url_with_any_letter_changed_stores_nothing(
    shared_fake: Fake, part: str, place: int, letter: str
) -> None:
    caller = shared_fake.newcomer()
    url = caller.upload_url("/proj/a.ma", CONTENT)

    def change(text: str) -> str:
        index = place % len(text)
        return text[:index] + letter + text[index + 1 :]

    bent = bend(url, part, change)
    assume(bent != url)
    answer = shared_fake.anonymous().put(bent, CONTENT)

    assert answer.status in (400, 403, 404)
    assert caller.files() == {}
    assert caller.put(url, CONTENT).status == 200


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1e9", "9" * 30, "\u0661", "a/b", "..", " 1", "%00", "\ufffd", "NaN"], ids=ascii
)
def test_a_url_with_a_part_of_another_kind_is_refused(fake: Fake, part: str, text: str) -> None:
    caller = fake.caller()
    url = caller.upload_url("/proj/a.ma", CONTENT)

    answer = fake.anonymous().put(bend(url, part, lambda _: text), CONTENT)

    assert answer.status in (400, 403, 404, 405)
    assert caller.files() == {}


@pytest.mark.parametrize("missing", ["expires", "size", "signature"])
def test_a_url_with_a_part_missing_is_refused(fake: Fake, missing: str) -> None:
    caller = fake.caller()
    split = urlsplit(caller.upload_url("/proj/a.ma", CONTENT))
    query = {name: value for name, value in parse_qsl(split.query) if name != missing}

    assert fake.anonymous().put(f"{split.path}?{urlencode(query)}", CONTENT).status in (403, 404)
    assert caller.files() == {}


def test_a_url_cannot_be_bent_to_another_account(fake: Fake) -> None:
    one, other = fake.caller("one"), fake.caller("other")
    url = one.upload_url("/proj/a.ma", CONTENT)
    other.upload_url("/proj/a.ma", CONTENT)

    bent = url.replace(account_id("one"), account_id("other"))

    assert fake.anonymous().put(bent, CONTENT).status == 403
    assert other.files() == {}


def test_a_url_may_be_used_by_another_name_of_the_server(fake: Fake) -> None:
    caller = fake.caller()
    url = caller.upload_url("/proj/a.ma", CONTENT)

    assert caller.put(url, CONTENT, headers={"Host": "storage:9000"}).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
def test_a_url_is_for_one_method(fake: Fake, method: str) -> None:
    caller = fake.caller()
    answer = caller.request(method, caller.upload_url("/proj/a.ma", CONTENT))

    assert answer.status == 405
    assert "PUT" in answer.headers["Allow"]


def test_a_url_expires_by_wall_time() -> None:
    with running(url_ttl_s=60) as fake:
        caller = fake.caller()
        url = caller.upload_url("/proj/a.ma", CONTENT)
        assert f"expires={START_US // SECOND + 60}" in url
        caller.post(
            "/_mock/clock", {"advance": 3600}, query={"account": "studio"}
        )  # simulated time does not count
        fake.wall.step(60)
        assert caller.put(url, CONTENT).status == 200
        fake.wall.step(1)
        answer = caller.put(url, CONTENT)

        assert answer.status == 403
        assert "expired" in answer.message


def test_a_url_can_be_used_again(fake: Fake) -> None:
    """Clients repeat an upload whose answer was lost."""
    caller = fake.caller()
    url = caller.upload_url("/proj/a.ma", CONTENT)

    assert [caller.put(url, CONTENT).status for _ in range(3)] == [200] * 3
    assert caller.files() == {"/proj/a.ma": md5_of(CONTENT)}


def test_an_upload_is_answered_as_object_stores_do(fake: Fake) -> None:
    caller = fake.caller()
    answer = caller.put(caller.upload_url("/proj/a.ma", CONTENT), CONTENT)

    assert answer.headers["ETag"] == '"' + hashlib.md5(CONTENT).hexdigest() + '"'
    assert answer.headers["x-goog-hash"] == f"md5={md5_of(CONTENT)}"
    assert answer.content == b""


@pytest.mark.parametrize(
    ("declared", "status"),
    [
        (md5_of(CONTENT), 200),
        (f" {md5_of(CONTENT)} ", 200),
        (md5_of(b"another"), 400),
        ("900150983cd24fb0d6963f7d28e17f72", 400),
        ("", 400),
        ("!!!!", 400),
        ("\u00ff", 400),
    ],
)
def test_a_declared_md5_must_be_that_of_the_url(fake: Fake, declared: str, status: int) -> None:
    caller = fake.caller()
    answer = caller.put(caller.upload_url("/proj/a.ma", CONTENT), CONTENT, headers={"Content-MD5": declared})

    assert answer.status == status
    assert len(caller.files()) == (status == 200)


def test_an_empty_file_needs_neither_length_nor_chunks(fake: Fake) -> None:
    """Both styles send it so that a server which goes by the length sees nothing at all (trap 9)."""
    caller = fake.caller()
    url = caller.upload_url("/proj/empty", b"")

    assert caller.put(url, b"").status == 200
    assert caller.files() == {"/proj/empty": "1B2M2Y8AsgTpgAmY7PhCfg=="}


def test_a_file_that_is_not_empty_needs_a_length_or_chunks(fake: Fake) -> None:
    caller = fake.caller()
    url = caller.upload_url("/proj/a.ma", CONTENT)
    split = urlsplit(url)
    environ = EnvironBuilder(split.path, ORIGIN, split.query, method="PUT", data=CONTENT).get_environ()
    del environ["CONTENT_LENGTH"]
    body, status, _ = run_wsgi_app(fake.app, environ)

    assert status == "411 LENGTH REQUIRED"
    assert b"send Content-Length or Transfer-Encoding: chunked" in b"".join(body)
    assert caller.files() == {}


def test_an_upload_may_be_larger_than_the_limit_for_json() -> None:
    with running(max_json_bytes=1000) as fake:
        caller, content = fake.caller(), bytes(5000)
        assert caller.put(caller.upload_url("/proj/a", content), content).status == 200
