"""The fake without a socket: what the requests library sends arrives as it would over one."""

from __future__ import annotations

import gc
import io
import json
import os
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
import responses
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.util import Retry

from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.inprocess import HOST, URL, InProcess, in_process, memory
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings, default_data_dir
from support.served import PATIENCE_S, token
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
    with pytest.raises(requests.ConnectionError, match="go to the fake in it") as caught:
        requests.get("http://dashboard.conductortech.com/api/v1/jobs?token=secret", timeout=1)
    assert "secret" not in str(caught.value)
    with pytest.raises(requests.ConnectionError, match="nowhere else"):
        requests.get(mock.url.replace("http:", "https:"), timeout=1)


def test_time_stands_still_unless_asked(session: requests.Session) -> None:
    assert session.get(f"{URL}/_mock/clock").json()["speed"] == 0


def test_settings_and_clock_can_be_given() -> None:
    settings = Settings(ephemeral=True, speed=1, strict=True)
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


# As over a socket


@pytest.fixture(scope="module")
def served() -> Iterator[World]:
    """A fake on a socket."""
    with Server(create_app(Settings(ephemeral=True, speed=0))) as server, requests.Session() as session:
        yield World(server.url, session, server.environment(), lambda adapter: adapter)


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    app = create_app(Settings(ephemeral=True, speed=0, allow_hosts=(HOST,)))
    with closing(service_of(app)):
        yield app


@pytest.fixture(scope="module")
def mounted(app: Flask) -> Iterator[World]:
    """A fake in this process that no session is led to but this one."""
    fake = InProcess(app)
    with requests.Session() as session:
        session.mount(fake.url, fake.adapter())
        yield World(fake.url, session, fake.environment(), fake.adapter)
        fake.stop()


@dataclass(frozen=True)
class World:
    """A fake, and a session to ask it with."""

    url: str
    session: requests.Session
    environment: dict[str, str]
    adapter: Callable[[HTTPAdapter], HTTPAdapter]
    """What to mount for an adapter that is to go there."""

    def come_of(self, headers: dict[Any, Any]) -> object:
        """What comes of a request: its status, or the kind of error."""
        self.session.trust_env = False
        try:
            answer = self.session.get(f"{self.url}/api/oauth_jwt", headers=headers, timeout=PATIENCE_S)
        except (requests.RequestException, UnicodeError, ValueError) as error:
            return type(error)
        return answer.status_code

    def authorize(self) -> None:
        """Sign in, as an account that has no job and no fault."""
        key = json.loads(self.environment["CONDUCTOR_API_KEY"])
        self.session.headers["Authorization"] = f"Bearer {token(self.session, self.url, key)}"
        self.session.post(f"{self.url}/_mock/reset", json={}, timeout=PATIENCE_S).raise_for_status()

    def fault(self, kind: str, operation: str, times: int, **options: Any) -> None:
        rule = {"match": {"operation": operation}, "fault": {"kind": kind, **options}, "times": times}
        self.session.post(f"{self.url}/_mock/faults", json=rule, timeout=PATIENCE_S).raise_for_status()

    def journal(self, operation: str) -> list[int]:
        """The statuses of the requests for an operation, as the server saw them."""
        answer = self.session.get(f"{self.url}/_mock/requests?operation={operation}", timeout=PATIENCE_S)
        return [entry["status"] for entry in answer.json()["requests"]]


NAMES = st.one_of(
    st.sampled_from(["X-A", "Host", "Connection", "Cookie", "x a", "X:A", "", "X-Ä", "X_A", b"X-A"]),
    st.text(max_size=5),
)
VALUES = st.one_of(
    st.sampled_from(
        ["a", "", "Ω", "é", "a\n b", "a\r\nX-B: c", " a", "a ", "\x00", "close", b"\xff", 7, None]
    ),
    st.text(max_size=5),
    st.binary(max_size=5),
)


@given(headers=st.dictionaries(NAMES, VALUES, max_size=2))
def test_headers_go_through_or_fail_as_over_a_socket(
    served: World, mounted: World, headers: dict[Any, Any]
) -> None:
    assert mounted.come_of(headers) == served.come_of(headers)


BROKEN = {
    "reset": {},
    "lost_answer": {},
    "garble": {},
    "stall": {"seconds": 600},
    "status": {"status": 503, "retry_after": 0},
}


@pytest.mark.parametrize("where", ["served", "mounted"])
@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("kind", BROKEN)
def test_what_an_adapter_repeats_by_itself_is_repeated(
    where: str, kind: str, times: int, request: pytest.FixtureRequest
) -> None:
    """Two more attempts help against two faults and not against three."""
    world: World = request.getfixturevalue(where)
    world.authorize()
    world.fault(kind, "projects.list", times, **BROKEN[kind])
    retries = Retry(total=2, allowed_methods=None, status_forcelist=[503], backoff_factor=0)
    with requests.Session() as session:
        session.mount(world.url, world.adapter(HTTPAdapter(max_retries=retries)))
        session.headers.update(world.session.headers)

        def ask() -> requests.Response:
            patience = 0.05 if kind == "stall" else None
            return session.get(f"{world.url}/api/v1/projects/", timeout=patience)

        if times == 2:
            assert ask().status_code == 200
        else:
            with pytest.raises((requests.ConnectionError, requests.exceptions.RetryError)):
                ask()
    assert len(world.journal("projects.list")) == 3


@pytest.mark.parametrize(("seconds", "timeout", "comes"), [(60, 5, False), (5, 60, True), (60, None, True)])
def test_an_answer_that_comes_later_than_the_client_waits_is_lost_and_nothing_waits(
    mounted: World, seconds: float, timeout: float | None, comes: bool
) -> None:
    mounted.authorize()
    mounted.fault("delay", "jobs.create", 1, seconds=seconds)

    def submit() -> requests.Response:
        return mounted.session.post(f"{mounted.url}/jobs/", json=job_payload(), timeout=timeout)

    if comes:
        assert submit().status_code == 201
    else:
        with pytest.raises(requests.ReadTimeout):
            submit()
    assert mounted.journal("jobs.create") == [201], "it was carried out"


@pytest.mark.parametrize(
    ("timeout", "error"), [(5, requests.ReadTimeout), (None, requests.ConnectionError)], ids=str
)
def test_a_stall_ends_with_the_clients_patience_or_with_the_servers(
    mounted: World, timeout: float | None, error: type[Exception]
) -> None:
    mounted.authorize()
    mounted.fault("stall", "projects.list", 1, seconds=60)
    with pytest.raises(error) as caught:
        mounted.session.get(f"{mounted.url}/api/v1/projects/", timeout=timeout)
    assert type(caught.value) is error


@pytest.mark.parametrize("where", ["served", "mounted"])
def test_an_upload_that_breaks_off_is_refused_and_seen(where: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(where)
    world.authorize()
    body = {"upload_files": [candidate("/proj/a.ma", CONTENT)]}
    answer = world.session.post(f"{world.url}/api/v2/files/get_upload_urls", json=body, timeout=PATIENCE_S)
    url = answer.json()["singlePartURLs"][0]["preSignedURL"]

    def breaking() -> Iterator[bytes]:
        yield CONTENT[:5]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.session.put(url, data=breaking(), timeout=PATIENCE_S)
    statuses: list[int] = []
    for _ in range(1000):  # over a socket it is seen a moment later
        if statuses := world.journal("objects.put"):
            break
    assert statuses == [400]
    assert world.session.get(f"{world.url}/_mock/files", timeout=PATIENCE_S).json()["files"] == []


@pytest.mark.parametrize(("timeout", "seen"), [(5, requests.ReadTimeout), (None, 400)], ids=str)
def test_a_body_that_never_comes_is_waited_for_by_whoever_is_the_less_patient(
    mounted: World, timeout: float | None, seen: object
) -> None:
    mounted.authorize()
    prepared = mounted.session.prepare_request(
        requests.Request("POST", f"{mounted.url}/jobs/", json={"a": 1})
    )
    prepared.headers["Content-Length"] = "100"
    try:
        found: object = mounted.session.send(prepared, timeout=timeout).status_code
    except requests.RequestException as error:
        found = type(error)
    assert found == seen


def test_what_is_larger_than_is_kept_in_memory_goes_both_ways(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 1000
    url = upload_url(session, content)
    right = session.get(f"{URL}/_mock/openapi.json").json()
    monkeypatch.setattr(memory, "IN_MEMORY_BYTES", 1000)
    assert session.put(url, data=content).status_code == 200
    assert files(session) == {"/proj/a.ma": md5_of(content)}
    assert session.get(f"{URL}/_mock/openapi.json").json() == right
    with session.get(f"{URL}/_mock/openapi.json", stream=True) as answer:
        assert json.loads(b"".join(answer.iter_content(100))) == right


@pytest.mark.parametrize(
    "url",
    [
        f"{URL}:80/",
        URL.upper().replace("HTTP:", "http:") + "/",
        f"HTTP://{HOST}/",
        f"http://{HOST}./",
        f"{URL}:/",
    ],
)
def test_the_origin_may_be_written_in_all_its_ways(mock: InProcess, url: str) -> None:
    assert requests.get(url).headers["X-Conductor-Mock"] == "1"


@pytest.mark.parametrize(
    "url", [f"{URL}:81/", f"https://{HOST}/", f"http://a.{HOST}/", f"http://a@{HOST}.org/"]
)
def test_another_origin_is_not_the_fake(mock: InProcess, url: str) -> None:
    with pytest.raises(requests.ConnectionError, match="nowhere else"):
        requests.get(url)


def test_a_proxy_is_not_asked(mock: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert requests.get(mock.url).status_code == 200
    assert requests.get(mock.url, proxies={"http": "http://127.0.0.1:1"}).status_code == 200


# Beside others


class Own(HTTPAdapter):
    """A session's own adapter, as people write them."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str | None] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        self.urls.append(request.url)
        return super().send(request, *args, **options)

    def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
        request.headers["X-Own"] = "1"


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "under a mock of responses"])
def test_a_sessions_own_adapter_does_what_it_does(mock: InProcess, beside: bool) -> None:
    own = Own()
    with ExitStack() as stack:
        if beside:
            stack.enter_context(responses.RequestsMock())
        session = stack.enter_context(requests.Session())
        session.mount("http://", own)
        assert session.get(f"{mock.url}/api/oauth_jwt").status_code == 400
    assert own.urls == [f"{mock.url}/api/oauth_jwt"]
    (entry,) = requests.get(f"{mock.url}/_mock/requests?account=*").json()["requests"]
    assert entry["headers"]["X-Own"] == "1"


def elsewhere() -> responses.RequestsMock:
    """A mock of another service."""
    other = responses.RequestsMock()
    other.add("GET", "http://elsewhere.example/", body="mocked")
    return other


def test_a_mock_of_responses_answers_what_is_its_own_nested_either_way(mock: InProcess) -> None:
    def ask_both() -> tuple[str, int]:
        return requests.get("http://elsewhere.example/").text, requests.get(mock.url).status_code

    with elsewhere() as inner:
        assert ask_both() == ("mocked", 200)
        assert len(inner.calls) == 1, "it keeps what is its own"
    mock.stop()
    with elsewhere():
        mock.start()
        assert ask_both() == ("mocked", 200)
        with pytest.raises(requests.ConnectionError, match="Connection refused by Responses"):
            requests.get("http://third.example/")


def test_a_fake_can_be_made_where_a_mock_of_responses_is_already() -> None:
    with elsewhere(), in_process() as fake:
        assert requests.get("http://elsewhere.example/").text == "mocked"
        assert requests.get(fake.url).status_code == 200


OPENED = list(permutations(range(3)))


@pytest.mark.parametrize("ended", OPENED, ids=str)
@pytest.mark.parametrize("begun", OPENED, ids=str)
def test_fakes_and_mocks_end_in_any_order_and_leave_nothing(
    app: Flask, begun: tuple[int, ...], ended: tuple[int, ...]
) -> None:
    before = (requests.Session.get_adapter, HTTPAdapter.send)
    fakes = [InProcess(app), InProcess(app)]
    mock = responses.RequestsMock(assert_all_requests_are_fired=False)
    starts = [fakes[0].start, fakes[1].start, mock.start]
    stops = [fakes[0].stop, fakes[1].stop, mock.stop]
    for number in begun:
        starts[number]()
    left = {0, 1, 2}
    for number in ended:
        stops[number]()
        left.discard(number)
        if left & {0, 1}:
            assert requests.get(URL).status_code == 200
    assert (requests.Session.get_adapter, HTTPAdapter.send) == before


def test_whoever_is_put_over_it_can_stay_longer(app: Flask) -> None:
    asked: list[str] = []
    before, fake = requests.Session.get_adapter, InProcess(app)
    fake.start()
    beneath = requests.Session.get_adapter

    def get_adapter(session: requests.Session, url: str) -> BaseAdapter:
        asked.append(url)
        return beneath(session, url)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "get_adapter", get_adapter)
        assert requests.get(fake.url).status_code == 200
        fake.stop()
        with requests.Session() as session:
            assert type(session.get_adapter(fake.url)) is HTTPAdapter
        fake.start()
        assert requests.get(fake.url).status_code == 200
        fake.stop()
    assert len(asked) == 3
    fake.start()  # what the patch put back is its method, which only passed on
    assert requests.get(fake.url).status_code == 200
    fake.stop()
    assert requests.Session.get_adapter is before


def test_an_adapter_can_be_mounted_without_any_patch(mounted: World) -> None:
    assert mounted.session.get(mounted.url).status_code == 200
    with requests.Session() as other:
        assert type(other.get_adapter(mounted.url)) is HTTPAdapter


def test_many_threads_have_a_connection_each(session: requests.Session, mock: InProcess) -> None:
    def submit(number: int) -> str:
        headers = {"Authorization": str(session.headers["Authorization"])}
        answer = requests.post(f"{mock.url}/jobs/", json=job_payload(job_title=str(number)), headers=headers)
        return str(answer.json()["jobid"])

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(submit, range(40)))
    assert len(set(ids)) == 40


# What it takes and leaves


def test_requests_take_no_memory_when_they_are_over(session: requests.Session, mock: InProcess) -> None:
    body = {
        "upload_files": [candidate(f"/proj/{'folder/' * 100}{number}.ma", CONTENT) for number in range(20)]
    }

    def ask(times: int) -> int:
        for _ in range(times):
            assert session.post(f"{mock.url}/api/v2/files/get_upload_urls", json=body).status_code == 200
        # Whoever reads the journal has all written first that waits for its writer.
        assert session.get(f"{mock.url}/_mock/requests?limit=1").status_code == 200
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        taken = [ask(20), ask(60), ask(60), ask(60)]
    finally:
        tracemalloc.stop()
    # Whatever else is in this process may take some, too, but not each time.
    grown = min(after - before for before, after in pairwise(taken))
    assert grown < 10 * len(json.dumps(body)), "of 60 requests, and as many answers"


def test_a_fake_that_is_over_is_gone() -> None:
    def use() -> weakref.ref[Flask]:
        with in_process() as fake:
            assert requests.get(fake.url).status_code == 200
            return weakref.ref(fake.app)

    gone = use()
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(strict=True), Settings(speed=1, seed=7)],
    ids=["default", "strict", "speed and seed"],
)
def test_nothing_is_written_into_the_users_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_data_dir().is_relative_to(tmp_path)
    with in_process(settings) as mock:
        assert requests.get(f"{mock.url}/_mock/clock").json()["speed"] == (settings.speed or 0)
        requests.post(f"{mock.url}/_mock/reset", json={})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_named_is_kept(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    for seen in (0, 7):
        with in_process(settings) as mock:
            assert requests.get(f"{mock.url}/_mock/clock").json()["speed"] == 0
            assert (requests.get(f"{mock.url}/_mock/options").json()["seed"] == 7) == (seen == 7)
            requests.post(f"{mock.url}/_mock/options", json={"seed": 7}).raise_for_status()


def test_the_name_says_what_is_wrong_wherever_it_is_not_known(mock: InProcess) -> None:
    assert HOST == "this-process-only.conductor-mock.test", "no name service may know what ends in .test"
    assert mock.environment()["CONDUCTOR_URL"] == f"http://{HOST}"


FORKED = """
import json, os, sys, requests
from conductor_mock.inprocess import in_process

def ask(fake):
    try:
        return requests.get(fake.url + "/_mock/health").status_code
    except requests.ConnectionError as error:
        return f"lives in process {os.getppid()}" in str(error)

with in_process() as fake:
    assert ask(fake) == 200
    child = os.fork()
    if child == 0:
        asked = ask(fake)
        sys.exit(3 if asked is True else 4)  # through the end of the block, too
    _, status = os.waitpid(child, 0)
    answer = requests.post(fake.url + "/_mock/options", json={"seed": 7})
    with_job = requests.get(fake.url + "/_mock/jobs").status_code
    print(os.waitstatus_to_exitcode(status), answer.status_code, with_job, os.listdir(fake.directory) != [])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_is_told_and_takes_nothing_away() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (finished.stdout, finished.stderr) == ("3 200 200 True\n", "")
