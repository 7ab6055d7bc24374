"""objects.put, put_part and get as calls: what is taken, what is refused with which words, and every header."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from conductor_mock.api import objects
from conductor_mock.execution.links import Links
from conductor_mock.farm.ids import account_id
from conductor_mock.settings import Quotas
from conductor_mock.store.objects import DamagedContentError
from conductor_mock.store.quotas import NewBytes
from conductor_mock.store.unavailable import UnavailableError
from support.server import ORIGIN, Answer, ApiCaller, Fake, md5_of, running

CONTENT = b"the content of a file"
DIGEST = hashlib.md5(CONTENT).hexdigest()
MOST = 10


@pytest.fixture(scope="module")
def here() -> Iterator[Fake]:
    """A fake that takes few bytes at URLs without a size, and files in parts of eight."""
    with running(max_unsized_bytes=MOST, part_size=8) as started:
        yield started


def whole(caller: ApiCaller, content: bytes = b"8 bytes!") -> str:
    return caller.upload_url("/proj/a", content)


def unsized(caller: ApiCaller, content: bytes) -> str:
    answer = caller.post("/api/files/get_upload_urls", {"upload_files": {"/proj/a": md5_of(content)}})
    return str(answer.json()["/proj/a"])


def in_parts(caller: ApiCaller) -> list[str]:
    files = [{"path": "/proj/a", "hash": md5_of(CONTENT), "size": len(CONTENT)}]
    answer = caller.post("/api/v2/files/get_upload_urls", {"upload_files": files, "project": None})
    return [part["url"] for part in answer.json()["multiPartURLs"][0]["parts"]]


class Unread(io.RawIOBase):
    """A body that nobody is to ask for."""

    def read(self, size: int = -1, /) -> bytes:
        raise AssertionError("the body was read")


def put(caller: ApiCaller, url: str, body: bytes | Unread, *, length: int | str | None = "") -> Answer:
    """Send a body with another length than its own; None: without one; "chunked": in chunks."""
    stream = body if isinstance(body, Unread) else io.BytesIO(body)
    environ: dict[str, Any] = {"wsgi.input": stream, "wsgi.input_terminated": True}
    headers = {"Transfer-Encoding": "chunked"} if length == "chunked" else {}
    environ["CONTENT_LENGTH"] = (
        ""
        if length in ("chunked", None)
        else str(length if isinstance(body, Unread) or length != "" else len(body))
    )
    return caller.request("PUT", url, headers=headers, environ=environ)


def stored(caller: ApiCaller, operation: str) -> list[Any]:
    query = {"account": caller.client_id, "operation": operation}
    found = caller.get("/_mock/requests", query=query).json()["requests"]
    return [entry["body"] for entry in found]


# --- Whole files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["", "chunked"])
def test_a_file_is_answered_with_its_md5_and_seen_by_size_and_md5(here: Fake, how: str) -> None:
    caller = here.newcomer()
    answer = put(caller, whole(caller), b"8 bytes!", length=how)
    digest = hashlib.md5(b"8 bytes!").hexdigest()
    assert (answer.status, answer.content) == (200, b"")
    assert answer.headers["ETag"] == f'"{digest}"'
    assert answer.headers["x-goog-hash"] == f"md5={md5_of(b'8 bytes!')}"
    assert caller.files() == {"/proj/a": md5_of(b"8 bytes!")}
    (body,) = stored(caller, "objects.put")
    assert (body["size"], body["md5"]) == (8, md5_of(b"8 bytes!"))


@pytest.mark.parametrize(
    ("body", "length", "status", "said"),
    [
        (b"8 bytes!", 7, 400, "Content-Length is 7, the URL was made for 8 bytes"),
        (b"7 bytes", "", 400, "Content-Length is 7, the URL was made for 8 bytes"),
        (b"9 bytes!!", "", 400, "Content-Length is 9, the URL was made for 8 bytes"),
        (b"7 bytes", "chunked", 400, "nothing was stored"),
        (b"9 bytes!!", "chunked", 400, "nothing was stored"),
        (b"8 BYTES!", "", 400, "nothing was stored"),
    ],
)
def test_a_body_that_is_not_the_file_is_refused_and_says_why(
    here: Fake, body: bytes, length: Any, status: int, said: str
) -> None:
    caller = here.newcomer()
    answer = put(caller, whole(caller), body, length=length)
    assert (answer.status, said in answer.message) == (status, True)
    assert list(answer.faults) == ["Content-Length" if "Content-Length" in said else ""]
    assert caller.files() == {}


@pytest.mark.parametrize(("content", "status"), [(b"8 bytes!", 411), (b"", 200)])
def test_only_an_empty_file_needs_no_framing(here: Fake, content: bytes, status: int) -> None:
    caller = here.newcomer()
    split = urlsplit(whole(caller, content))
    environ = EnvironBuilder(split.path, ORIGIN, split.query, method="PUT", data=content).get_environ()
    environ.pop("CONTENT_LENGTH", None)
    body, answered, _ = run_wsgi_app(here.app, environ)
    assert int(answered[:3]) == status
    if status == 411:
        assert b"made for 8 bytes; send Content-Length or Transfer-Encoding: chunked" in b"".join(body)


@pytest.mark.parametrize("length", ["", "chunked"])
@pytest.mark.parametrize("size", [MOST, MOST + 1])
def test_a_url_without_a_size_takes_as_many_bytes_as_it_says(here: Fake, size: int, length: str) -> None:
    caller = here.newcomer()
    content = b"x" * size
    answer = put(caller, unsized(caller, content), content, length=length)
    if size == MOST:
        assert answer.status == 200
        return
    what = "the body has 11 bytes" if length == "" else "the body is larger"
    assert answer.status == 413
    assert answer.message.startswith(
        f"{what}, and a URL that names no size takes 10: ask for a URL of the newer"
    )
    assert answer.faults == {"": answer.message}
    assert caller.files() == {}


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (
            md5_of(b"another"),
            f"Content-MD5 is {md5_of(b'another')}, the URL was made for {md5_of(b'8 bytes!')}",
        ),
        ("!!!!", "Content-MD5 is "),
    ],
)
def test_a_content_md5_that_is_not_the_urls_is_refused_by_name(here: Fake, declared: str, said: str) -> None:
    caller = here.newcomer()
    answer = caller.put(whole(caller), b"8 bytes!", headers={"Content-MD5": declared})
    assert (answer.status, list(answer.faults)) == (400, ["Content-MD5"])
    assert answer.message.startswith(said)
    assert (
        caller.put(whole(caller), b"8 bytes!", headers={"Content-MD5": f" {md5_of(b'8 bytes!')} "}).status
        == 200
    )


def test_an_output_that_a_worker_brings_is_stored_and_is_no_upload(here: Fake) -> None:
    caller = here.newcomer()
    account, content = account_id(caller.client_id), b"a frame of " + caller.client_id.encode()
    links = Links(here.service.signer, ORIGIN, account, 60, here.wall)
    url = links.to_bring(hashlib.md5(content).digest(), len(content))
    assert put(caller, url, content).status == 200
    (body,) = stored(caller, "objects.put")
    assert (body["size"], body["md5"]) == (len(content), md5_of(content))
    assert [size for _, size in here.service.contents.stored(account)] == [len(content)]
    assert here.service.contents.held(account, [md5_of(content)]) == set()


def test_files_and_parts_are_larger_than_any_json_may_be() -> None:
    with running(max_json_bytes=1000, part_size=2000) as fake:
        caller = fake.caller()
        content = b"x" * 2000
        assert put(caller, whole(caller, content), content).status == 200
        file = {"path": "/proj/b", "hash": md5_of(content + b"more"), "size": 2004}
        answer = caller.post("/api/v2/files/get_upload_urls", {"upload_files": [file], "project": None})
        first, _ = answer.json()["multiPartURLs"][0]["parts"]
        assert put(caller, first["url"], content).status == 200


URLS: dict[str, Callable[[ApiCaller], str]] = {
    "whole": whole,
    "unsized": lambda caller: unsized(caller, b"8 bytes!"),
    "a part": lambda caller: in_parts(caller)[0],
}


@pytest.mark.parametrize(("form", "length"), [*((form, 8) for form in URLS), ("whole", "chunked")])
def test_a_file_for_which_there_is_no_room_is_refused_before_it_is_read(form: str, length: int | str) -> None:
    with running(quotas=Quotas(account_bytes=30), part_size=8) as fake:
        caller = fake.caller()
        url = URLS[form](caller)
        filler = [letter * 6 for letter in (b"1", b"2", b"3", b"4")]
        for content in filler:
            assert put(caller, whole(caller, content), content).status == 200
        answer = put(caller, url, Unread(), length=length)
        assert answer.status == 507
        assert "--max-account-bytes" in answer.message


# --- Parts -------------------------------------------------------------------------------------------------------


def test_a_part_is_answered_with_its_etag_and_seen_by_size_and_number(here: Fake) -> None:
    caller = here.newcomer()
    urls = in_parts(caller)
    for number, url in enumerate(urls):
        piece = CONTENT[8 * number :][:8]
        answer = put(caller, url, piece, length="chunked" if number else "")
        assert (answer.status, answer.content) == (200, b"")
        assert answer.headers["ETag"] == f'"{hashlib.md5(piece).hexdigest()}"'
    assert [(body["size"], body["part"]) for body in stored(caller, "objects.put_part")] == [
        (8, 1),
        (8, 2),
        (5, 3),
    ]


@pytest.mark.parametrize(
    ("body", "length", "fault"),
    [(b"7 bytes", "", "Content-Length"), (b"7 bytes", "chunked", ""), (b"9 bytes!!", "chunked", "")],
)
def test_a_part_of_another_size_is_refused(here: Fake, body: bytes, length: str, fault: str) -> None:
    caller = here.newcomer()
    answer = put(caller, in_parts(caller)[0], body, length=length)
    assert (answer.status, list(answer.faults)) == (400, [fault])
    assert ("nothing was stored" in answer.message) == (fault == "")


def test_a_part_of_an_upload_that_is_whole_is_not_kept(here: Fake) -> None:
    caller = here.newcomer()
    url = in_parts(caller)[0]
    account = account_id(caller.client_id)
    for content in (CONTENT,):  # as another client sends it whole
        with here.service.objects.receive(
            io.BytesIO(content), md5=bytes.fromhex(DIGEST), size=len(content)
        ) as got:
            here.service.contents.add_upload(account, got, t_us=0)
    kept: list[object] = []
    answer = caller.put(url, CONTENT[:8])
    folder = here.service.parts._root / account
    kept.extend(path for path in folder.rglob("*") if path.is_file())
    assert (answer.status, kept) == (200, [])


def test_a_part_is_put_in_place_in_its_uploads_turn_and_with_room_kept_for_it(
    here: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, stored_bytes = here.service.parts, here.service.contents.stored_bytes
    happened: list[Any] = []

    def noting(name: str, real: Any, shown: slice) -> Any:
        @contextmanager
        def noted(*arguments: Any) -> Iterator[Any]:
            happened.append((name, *arguments[shown]))
            with real(*arguments) as result:
                yield result
            happened.append(f"end of {name}")

        return noted

    def keep(part: Any, real: Any = parts.keep) -> None:
        happened.append("keep")
        real(part)

    monkeypatch.setattr(parts, "turn", noting("turn", parts.turn, slice(0)))
    monkeypatch.setattr(stored_bytes, "reserve", noting("room", stored_bytes.reserve, slice(2)))
    monkeypatch.setattr(parts, "keep", keep)
    caller = here.newcomer()
    assert put(caller, in_parts(caller)[2], CONTENT[16:]).status == 200
    account = account_id(caller.client_id)
    assert happened == [
        ("turn",),
        ("room", account, [NewBytes(5)]),
        "keep",
        "end of room",
        "end of turn",
    ]


def test_a_part_of_an_upload_that_a_reset_took_is_404(here: Fake) -> None:
    caller = here.newcomer()
    url = in_parts(caller)[0]
    upload = urlsplit(url).path.split("/")[-2]
    caller.post("/_mock/reset", query={"account": caller.client_id})
    answer = caller.put(url, CONTENT[:8])
    assert answer.status == 404
    assert (
        answer.message == f"there is no upload {upload[:40]!r}: the account was reset since the URL was made"
    )


# --- Downloads ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def output(here: Fake) -> tuple[ApiCaller, str, bytes, str]:
    """A caller, the signed URL of an output, its bytes and its hexadecimal md5."""
    caller = here.caller("of outputs")
    caller.submit(output_path="/proj/out")
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
    (record, *_) = caller.get("/downloads/00001").json()["downloads"]
    (file, *_) = record["files"]
    answer = caller.get(file["url"])
    assert answer.status == 200
    return caller, file["url"], answer.content, hashlib.md5(answer.content).hexdigest()


ALWAYS = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache, max-age=0",
}


def test_a_content_comes_with_what_clients_check_and_browsers_obey(
    output: tuple[ApiCaller, str, bytes, str],
) -> None:
    caller, url, content, digest = output
    for method in ("GET", "HEAD"):
        answer = caller.request(method, url)
        assert (answer.status, answer.content) == (200, content if method == "GET" else b"")
        wanted = {
            **ALWAYS,
            "ETag": f'"{digest}"',
            "x-goog-hash": f"md5={md5_of(content)}",
            "Content-Length": str(len(content)),
            "Accept-Ranges": "bytes",
            "Content-Type": "image/png",
        }
        assert {name: answer.headers.get(name) for name in wanted} == wanted
        assert answer.headers["Last-Modified"].endswith(" GMT")
        assert "Content-Range" not in answer.headers


def test_a_content_is_open_while_it_is_sent_and_not_for_its_headers_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running() as fake:
        caller = fake.caller()
        content = b"more than is read before anything is sent" * 30_000
        assert put(caller, whole(caller, content), content).status == 200
        links = Links(fake.service.signer, ORIGIN, account_id(caller.client_id), 60, fake.wall)
        url = links.to_fetch(hashlib.md5(content).digest())
        files: list[Any] = []
        look_up = fake.service.objects.look_up

        def looked_up(digest: bytes) -> Any:
            found = look_up(digest)

            def opened(*arguments: int) -> Any:
                file = found.open_part(*arguments) if arguments else found.open()
                files.append(file)
                return file

            return SimpleNamespace(
                size=found.size, modified_s=found.modified_s, open=opened, open_part=opened
            )

        monkeypatch.setattr(fake.service.objects, "look_up", looked_up)
        assert caller.request("HEAD", url).status == 200
        assert caller.get(url, headers={"If-None-Match": "*"}).status == 304
        assert files == []
        assert caller.get(url).content == content
        assert caller.get(url, headers={"Range": "bytes=1-2"}).content == content[1:3]
        assert [file.closed for file in files] == [True, True]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_url_that_was_not_signed_is_refused(output: tuple[ApiCaller, str, bytes, str], method: str) -> None:
    caller, url, _, _ = output
    assert caller.request(method, url.partition("?")[0]).status == 404
    assert caller.request(method, f"{url}0").status == 403


def test_a_content_that_is_damaged_is_404_and_says_what_brings_it_again(
    output: tuple[ApiCaller, str, bytes, str], here: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, url, _, digest = output

    def damaged(_: bytes) -> Any:
        raise DamagedContentError(bytes.fromhex(digest))

    monkeypatch.setattr(here.service.objects, "look_up", damaged)
    answer = caller.get(url)
    assert answer.status == 404
    assert answer.message.endswith("; send it again, or render it again")


def test_a_range_is_told_with_the_whole(output: tuple[ApiCaller, str, bytes, str]) -> None:
    caller, url, content, digest = output
    size = len(content)
    for spec, part, told in (
        ("bytes=2-4", content[2:5], f"bytes 2-4/{size}"),
        ("bytes=-3", content[-3:], f"bytes {size - 3}-{size - 1}/{size}"),
        (f"bytes={size - 1}-", content[-1:], f"bytes {size - 1}-{size - 1}/{size}"),
    ):
        answer = caller.get(url, headers={"Range": spec})
        assert (answer.status, answer.content) == (206, part)
        assert answer.headers["Content-Range"] == told
        assert answer.headers["Content-Length"] == str(len(part))
        assert answer.headers["ETag"] == f'"{digest}"'


def test_what_a_condition_or_a_range_refuses_says_so(output: tuple[ApiCaller, str, bytes, str]) -> None:
    caller, url, content, digest = output
    beyond = caller.get(url, headers={"Range": f"bytes={len(content)}-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(content)}")
    assert beyond.faults == {
        "Range": f"the content has {len(content)} bytes, and none of them are in the Range"
    }
    other = caller.get(url, headers={"If-Match": '"another"'})
    assert (other.status, other.headers["ETag"]) == (412, f'"{digest}"')
    assert other.faults == {"If-Match": f'If-Match does not hold: the content has the ETag "{digest}"'}
    same = caller.get(url, headers={"If-None-Match": f'"{digest}"'})
    assert (same.status, same.content) == (304, b"")
    assert {name: same.headers.get(name) for name in ALWAYS} == ALWAYS
    assert same.headers["ETag"] == f'"{digest}"'


def test_a_content_is_read_in_blocks_to_its_end(here: Fake) -> None:
    class File(io.BytesIO):
        asked: list[int | None] = []

        def read(self, size: int | None = -1, /) -> bytes:
            self.asked.append(size)
            return super().read(size)

    data = bytes(range(256)) * 4096  # a mebibyte
    file = File(data)
    file.seek(100)
    blocks = list(objects._blocks(file, 600_000))
    assert b"".join(blocks) == data[100:600_100]
    assert [len(block) for block in blocks] == [1 << 18, 1 << 18, 600_000 - (1 << 19)]
    with pytest.raises(UnavailableError, match="ended before its end"):
        list(objects._blocks(File(b"short"), 9))
    assert list(objects._blocks(File(b"none"), 0)) == []


def test_a_content_that_a_reset_took_is_404_by_its_md5_and_account(here: Fake) -> None:
    caller = here.newcomer()
    caller.submit(output_path="/proj/out", job_title=caller.client_id)
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
    (file, *_) = caller.get("/downloads/00001").json()["downloads"][0]["files"]
    here.service.objects.delete(bytes.fromhex(urlsplit(file["url"]).path.split("/")[-2]))
    answer = caller.get(file["url"])
    assert answer.status == 404
    assert answer.message == (
        f"the content {file['md5']} is gone: account {account_id(caller.client_id)} was reset since the URL was made"
    )


@pytest.mark.parametrize(
    ("ends", "type_"),
    [
        ("bmp", "image/bmp"),
        ("exr", "image/x-exr"),
        ("gif", "image/gif"),
        ("jpeg jpg JPG", "image/jpeg"),
        ("json", "application/json"),
        ("log txt", "text/plain"),
        ("mov", "video/quicktime"),
        ("mp4", "video/mp4"),
        ("png", "image/png"),
        ("tif tiff", "image/tiff"),
        ("webp", "image/webp"),
        ("html svg xml js exrx", "application/octet-stream"),
    ],
)
def test_the_type_of_a_content_is_that_of_the_end_of_its_name(ends: str, type_: str) -> None:
    assert {objects.media_type(f"frame.0001.{end}") for end in ends.split()} == {type_}
    assert objects.media_type(f"{ends.split()[0]}.x") == "application/octet-stream"
