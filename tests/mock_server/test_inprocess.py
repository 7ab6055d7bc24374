"""The fake without a socket: what the requests library sends arrives as it would over one."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests

from conductor_mock.context import service_of
from conductor_mock.inprocess import URL, InProcess, in_process
from conductor_mock.settings import Settings
from support.served import token
from support.server import ManualWall, candidate, job_payload, md5_of

CONTENT = b"the content of a file"


@pytest.fixture
def mock() -> Iterator[InProcess]:
    with in_process() as started:
        yield started


@pytest.fixture
def session(mock: InProcess) -> requests.Session:
    """A session with a token of the default account."""
    session = requests.Session()
    session.headers["Authorization"] = (
        f"Bearer {token(session, mock.url, json.loads(mock.environment()['CONDUCTOR_API_KEY']))}"
    )
    return session


def upload_url(session: requests.Session, content: bytes) -> str:
    body = {"upload_files": [candidate("/proj/a.ma", content)]}
    answer = session.post(f"{URL}/api/v2/files/get_upload_urls", json=body)
    return str(answer.json()["singlePartURLs"][0]["preSignedURL"])


def files(session: requests.Session) -> dict[str, str]:
    return {file["path"]: file["md5"] for file in session.get(f"{URL}/_mock/files").json()["files"]}


def test_the_environment_points_clients_here(mock: InProcess) -> None:
    environment = mock.environment()

    assert environment["CONDUCTOR_URL"] == environment["CONDUCTOR_API_URL"] == URL == mock.url
    assert json.loads(environment["CONDUCTOR_API_KEY"]) == {
        "client_id": "conductor-mock",
        "private_key": service_of(mock.app).keys.private_key,
    }


def test_a_whole_submission_needs_no_socket(session: requests.Session) -> None:
    url = upload_url(session, CONTENT)
    assert url.startswith(f"{URL}/objects/")
    assert session.put(url, data=CONTENT).status_code == 200
    answer = session.post(f"{URL}/jobs/", json=job_payload())

    assert (answer.status_code, answer.json()["jobid"]) == (201, "00001")
    assert (
        session.get(f"{URL}/api/v1/jobs?filter=jid_gt_00000%2Cjid_lt_00002").json()["data"][0]["title"]
        == "A test"
    )
    assert files(session) == {"/proj/a.ma": md5_of(CONTENT)}


def chunks() -> Iterator[bytes]:
    yield CONTENT[:5]
    yield b""
    yield CONTENT[5:]


BODIES = {
    "bytes": lambda: CONTENT,
    "text": lambda: CONTENT.decode(),
    "a bytearray": lambda: bytearray(CONTENT),
    "a file": lambda: io.BytesIO(CONTENT),
    "a generator": chunks,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_every_kind_of_body_arrives(session: requests.Session, body: Callable[[], Any]) -> None:
    answer = session.put(upload_url(session, CONTENT), data=body())

    assert answer.status_code == 200, answer.text
    assert files(session) == {"/proj/a.ma": md5_of(CONTENT)}


def test_a_large_generator_is_not_held_in_memory_at_once(session: requests.Session) -> None:
    """Its blocks are taken one by one, as they are asked for."""
    waiting = 0
    most = 0

    def blocks() -> Iterator[bytes]:
        nonlocal waiting, most
        for _ in range(200):
            waiting += 1
            most = max(most, waiting)
            yield bytes(100_000)
            waiting -= 1

    content = bytes(200 * 100_000)
    assert session.put(upload_url(session, content), data=blocks()).status_code == 200
    assert most == 1


@pytest.mark.parametrize("body", [b"", iter(())], ids=["empty", "no chunks"])
def test_an_empty_file_arrives(session: requests.Session, body: Any) -> None:
    assert session.put(upload_url(session, b""), data=body).status_code == 200
    assert files(session) == {"/proj/a.ma": md5_of(b"")}


def test_a_wrong_body_is_refused(session: requests.Session) -> None:
    answer = session.put(upload_url(session, CONTENT), data=CONTENT[::-1])

    assert answer.status_code == 400
    assert answer.json()["status"] == "error"
    assert files(session) == {}


def test_paths_that_are_joined_carelessly_arrive(mock: InProcess) -> None:
    assert requests.get(f"{mock.url}//api/oauth_jwt").status_code == 400
    assert requests.get(mock.url).status_code == 200
    assert requests.get(f"{mock.url}?account=nobody").status_code == 404
    assert requests.get(f"{mock.url}/%ff%00?%ff=%zz").status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_every_method_is_answered_by_the_app(mock: InProcess, method: str) -> None:
    answer = requests.request(method, f"{mock.url}/api/oauth_jwt")

    assert answer.headers["X-Conductor-Mock"] == "1"
    assert (answer.content == b"") == (method in ("HEAD", "OPTIONS"))


def test_no_request_leaves_the_process(mock: InProcess) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get("http://dashboard.conductortech.com/api/v1/jobs", timeout=1)


def test_time_stands_still_unless_asked(session: requests.Session) -> None:
    assert session.get(f"{URL}/_mock/clock").json()["speed"] == 0


def test_settings_and_clock_can_be_given() -> None:
    settings = Settings(ephemeral=True, speed=1, strict=True, allow_hosts=("conductor.local",))
    wall = ManualWall()
    with in_process(settings, wall=wall) as mock:
        assert requests.get(f"{mock.url}/_mock/health").json()["now"] == "2026-01-01T00:00:00Z"
        wall.step(60)
        assert requests.get(f"{mock.url}/_mock/health").json()["now"] == "2026-01-01T00:01:00Z"


def test_nothing_is_left_when_the_block_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def break_off() -> NoReturn:
        with in_process() as mock:
            requests.get(f"{mock.url}/_mock/health")
            assert any(tmp_path.iterdir())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()

    assert not any(tmp_path.iterdir())
