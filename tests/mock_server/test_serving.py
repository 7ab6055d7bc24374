"""The fake on a socket: framing, keep-alive, many at once, and how it starts and stops."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil
import pytest
import requests
from click.testing import CliRunner

from conductor_mock.app import close_app, create_app
from conductor_mock.cli import main
from conductor_mock.serving.server import MAX_HEAD_BYTES, AddressError, Server, write_ready_file
from conductor_mock.serving.signals import EndingSignals
from conductor_mock.settings import Settings
from conductor_mock.store.durable import write_private
from conductor_mock.wire.md5 import to_base64
from support.served import (
    PATIENCE_S,
    RawConnection,
    ServedProcess,
    command,
    raw,
    run_cli,
    said_by,
    served,
    token,
)
from support.server import candidate, job_payload, md5_of

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    """One served fake for the tests of this file that do not stop it."""
    with served(tmp_path_factory.mktemp("served"), data_dir=False) as started:
        yield started


@pytest.fixture
def session(server: ServedProcess) -> Iterator[requests.Session]:
    with server.session() as opened:
        yield opened


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode("latin-1")


def authorization(session: requests.Session) -> str:
    """The header line that a session sends with each request."""
    value = session.headers["Authorization"]
    assert isinstance(value, str)
    return f"Authorization: {value}"


def assert_refused(answer: Any, status: int) -> None:
    """An answer in the error shape, whoever gave it."""
    assert answer.status == status, answer
    assert set(answer.json()) == {"status", "message", "errors"}
    assert answer.headers["Content-Type"] == "application/json"


def upload_url(session: requests.Session, url: str, content: bytes) -> str:
    body = {"upload_files": [candidate("/proj/a", content)]}
    answer = session.post(f"{url}/api/v2/files/get_upload_urls", json=body, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["singlePartURLs"][0]["preSignedURL"])


def target(url: str) -> str:
    """What stands in a request line for a URL."""
    split = urlsplit(url)
    return f"{split.path}?{split.query}"


def test_a_connection_is_of_use_after_an_early_refusal(
    server: ServedProcess, session: requests.Session
) -> None:
    """A body that was refused unread is drained, or the next request on the connection would fail now and then."""
    bearer = authorization(session)
    body = b"x" * 300_000
    with RawConnection(server.port) as connection:
        for _ in range(20):
            connection.send(head("POST /jobs/", f"Content-Length: {len(body)}") + body)
            assert_refused(connection.answer(), 401)
            connection.send(head("GET /api/v1/jobs", bearer))
            assert connection.answer().status == 200


def test_a_chunked_body_that_was_refused_unread_is_drained_too(server: ServedProcess) -> None:
    with RawConnection(server.port) as connection:
        for _ in range(20):
            connection.send(head("POST /jobs/", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n")
            assert_refused(connection.answer(), 401)


def test_chunks_with_extensions_and_trailers_are_read(
    server: ServedProcess, session: requests.Session
) -> None:
    bearer = authorization(session)
    data = json.dumps(job_payload()).encode()
    chunks = b"%X;name=value\r\n%s\r\n%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (
        10,
        data[:10],
        len(data) - 10,
        data[10:],
    )
    with RawConnection(server.port) as connection:
        for _ in range(2):
            connection.send(head("POST /jobs/", bearer, "Transfer-Encoding: chunked") + chunks)
            assert connection.answer().status == 201


BAD_CHUNKS = {
    "no number": b"zz\r\nhello\r\n0\r\n\r\n",
    "negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "an underscore": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "too long": b"5\r\nhello world\r\n0\r\n\r\n",
    "too large a size": b"f" * 100 + b"\r\nhello\r\n0\r\n\r\n",
    "an endless line": b"1" * 10_000,
}


@pytest.mark.parametrize("chunks", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
@pytest.mark.parametrize("route", ["jobs", "objects"])
def test_badly_framed_chunks_are_the_clients_fault(
    server: ServedProcess, session: requests.Session, route: str, chunks: bytes
) -> None:
    line = "POST /jobs/" if route == "jobs" else f"PUT {target(upload_url(session, server.url, b'hello'))}"
    bearer = authorization(session)
    with RawConnection(server.port) as connection:
        connection.send(head(line, bearer, "Transfer-Encoding: chunked") + chunks)
        answer = connection.answer()
        assert_refused(answer, 400)
        assert answer.headers["Connection"] == "close"
        assert connection.is_closed()


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("route", ["jobs", "objects"])
def test_a_body_that_breaks_off_is_refused_and_not_stored(
    server: ServedProcess, session: requests.Session, route: str, framing: str
) -> None:
    content = os.urandom(100)
    line = "POST /jobs/" if route == "jobs" else f"PUT {target(upload_url(session, server.url, content))}"
    bearer = authorization(session)
    part = content[:50] if "Length" in framing else b"64\r\n" + content[:50]
    with RawConnection(server.port) as connection:
        connection.send(head(line, bearer, framing) + part)
        connection.half_close()
        assert_refused(connection.answer(), 400)
    held = session.get(f"{server.url}/_mock/files", timeout=PATIENCE_S).json()["files"]
    assert md5_of(content) not in [file["md5"] for file in held]


@pytest.mark.parametrize("length", ["-1", "-5", "+5", "5_0", "many", "0x5", "9" * 5000, "5 5", "1.0"])
def test_a_length_that_is_no_number_is_refused_at_once(server: ServedProcess, length: str) -> None:
    with RawConnection(server.port) as connection:
        connection.send(head("POST /jobs/", f"Content-Length: {length}") + b"hello")
        answer = connection.answer()
        assert_refused(answer, 400)
        assert answer.headers["Connection"] == "close"


def test_a_body_framed_in_two_ways_is_refused_and_the_connection_closed(server: ServedProcess) -> None:
    framing = ("Content-Length: 5", "Transfer-Encoding: chunked")
    with RawConnection(server.port) as connection:
        connection.send(head("POST /jobs/", *framing) + b"0\r\n\r\n")
        answer = connection.answer()
        assert_refused(answer, 400)
        assert answer.headers["Connection"] == "close"
        assert connection.is_closed()


MALFORMED = {
    "no request": (b"hello\r\n\r\n", 400),
    "no version": (b"GET /\r\nHost: x\r\n\r\n", 400),
    "a URL of another scheme": (b"GET https://evil.example/jobs/ HTTP/1.1\r\nHost: x\r\n\r\n", 421),
    "a header without a colon": (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a fragment": (b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a newer version": (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    "an unknown transfer coding": (
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        501,
    ),
    "an overlong URL": (b"GET /" + b"a" * MAX_HEAD_BYTES * 2 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "overlong headers": (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * MAX_HEAD_BYTES * 2 + b"\r\n\r\n", 431),
}


@pytest.mark.parametrize(("data", "status"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_refused_before_it_is_a_request_has_the_error_shape_too(
    server: ServedProcess, data: bytes, status: int
) -> None:
    assert_refused(raw(server.port, data), status)


def test_bytes_that_are_no_ascii_in_the_target_are_answered(server: ServedProcess) -> None:
    assert raw(server.port, b"GET /\xff\xfe?\xff=\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").status in (
        400,
        404,
    )
    line = b"GET /_mock/requests?limit=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert_refused(raw(server.port, line), 400)


def test_a_long_url_within_the_limit_is_read(server: ServedProcess) -> None:
    assert raw(server.port, head(f"GET /_mock/requests?path={'a' * 50_000}")).status == 200


def test_an_old_client_without_a_host_is_served(server: ServedProcess) -> None:
    key = server.api_key
    query = urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": key["client_id"],
            "client_secret": key["private_key"],
        }
    )
    answer = raw(server.port, f"GET /api/oauth_jwt?{query} HTTP/1.0\r\n\r\n".encode())

    assert answer.status == 200


def test_expect_continue_is_answered(server: ServedProcess, session: requests.Session) -> None:
    data = json.dumps(job_payload()).encode()
    bearer = authorization(session)
    with RawConnection(server.port) as connection:
        connection.send(
            head("POST /jobs/", bearer, "Expect: 100-continue", f"Content-Length: {len(data)}") + data
        )
        assert connection.answer().status == 201


@pytest.mark.slow
def test_a_json_body_of_200_mb_is_413_and_takes_no_memory(
    server: ServedProcess, session: requests.Session
) -> None:
    before = psutil.Process(server.process.pid).memory_info().rss

    def blocks() -> Iterator[bytes]:
        yield b'{"job_title": "'
        for _ in range(200):
            yield b"x" * MIB
        yield b'"}'

    length = 200 * MIB + len(b'{"job_title": ""}')
    bearer = authorization(session)
    with RawConnection(server.port) as connection:
        connection.send(head("POST /jobs/", bearer, f"Content-Length: {length}"))
        for block in blocks():
            connection.send(block)
        assert_refused(connection.answer(), 413)
    grown = peak_rss(server.process.pid) - before

    assert grown < 100 * MIB
    assert session.get(f"{server.url}/api/v1/jobs", timeout=PATIENCE_S).status_code == 200


def peak_rss(pid: int) -> int:
    """The most memory that a process ever had, in bytes."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(line) * 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_one_chunk_of_a_large_file_takes_no_memory(tmp_path: Path) -> None:
    """A chunk may be as large as its sender likes; it is read in blocks all the same."""
    size = 300 * MIB
    digest = hashlib.md5()
    for _ in range(300):
        digest.update(bytes(MIB))
    with served(tmp_path, data_dir=False) as server, server.session() as session:
        body = {"upload_files": [{"path": "/big", "hash": to_base64(digest.digest()), "size": size}]}
        answer = session.post(f"{server.url}/api/v2/files/get_upload_urls", json=body, timeout=PATIENCE_S)
        before = peak_rss(server.process.pid)
        with RawConnection(server.port) as connection:
            line = f"PUT {target(answer.json()['singlePartURLs'][0]['preSignedURL'])}"
            connection.send(head(line, "Transfer-Encoding: chunked") + b"%x\r\n" % size)
            for _ in range(300):
                connection.send(bytes(MIB))
            connection.send(b"\r\n0\r\n\r\n")
            assert connection.answer("PUT").status == 200

        assert peak_rss(server.process.pid) - before < 50 * MIB


def test_many_clients_that_stall_do_not_keep_the_next_one_waiting(server: ServedProcess) -> None:
    """Half of them in the middle of a head, half in the middle of a body."""
    halves = [b"GET /_mock/health HTTP/1.1\r\n", head("POST /jobs/", "Content-Length: 99") + b"{"]
    with ExitStack() as stalled:
        for number in range(40):
            connection = stalled.enter_context(RawConnection(server.port))
            connection.send(halves[number % 2])
        answer = raw(server.port, head("GET /_mock/health", "Connection: close"))

    assert answer.status == 200


def test_an_account_goes_from_one_server_to_another_as_a_file(tmp_path: Path) -> None:
    """Over real sockets, by the commands."""
    bundle = tmp_path / "bug.bundle"

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    with served(tmp_path / "one") as one, one.session() as session:
        for _ in range(3):
            session.post(f"{one.url}/jobs/", json=job_payload(), timeout=PATIENCE_S)
        run("clock", "until", "idle", "--url", one.url)
        before = run("jobs", "--json", "--ready-file", str(one.ready_file))
        run("bundle", "save", str(bundle), "--with-files", "--url", one.url)
    with served(tmp_path / "two", data_dir=False) as two:
        run("bundle", "replay", str(bundle), "--url", two.url)
        assert run("jobs", "--json", "--url", two.url) == before
        assert "frozen" in run("clock", "--url", two.url)


def test_sixteen_threads_lose_no_job_and_get_no_number_twice(tmp_path: Path) -> None:
    with served(tmp_path) as server:

        def work(name: str) -> list[tuple[str, str]]:
            key = {"client_id": name.partition(" ")[0], "private_key": "a key"}
            made = []
            with requests.Session() as session:
                session.trust_env = False
                session.headers["Authorization"] = f"Bearer {token(session, server.url, key)}"
                for number in range(10):
                    title = f"{name} {number}"
                    answer = session.post(
                        f"{server.url}/jobs/", json=job_payload(job_title=title), timeout=PATIENCE_S
                    )
                    assert answer.status_code == 201, answer.text
                    made.append((answer.json()["jobid"], title))
            return made

        with ThreadPoolExecutor(16) as pool:
            names = [f"{account} {number}" for number in range(8) for account in ("one", "other")]
            results = dict(zip(names, pool.map(work, names), strict=True))

        for account in ("one", "other"):
            made = sorted(
                pair for name, pairs in results.items() if name.startswith(f"{account} ") for pair in pairs
            )
            jobs = requests.get(
                f"{server.url}/_mock/jobs", params={"account": account}, timeout=PATIENCE_S
            ).json()["jobs"]
            assert [jid for jid, _ in made] == [f"{number:05}" for number in range(1, 81)]
            assert [(job["jid"], job["payload"]["job_title"]) for job in jobs] == made


def test_the_ready_file_is_private_and_says_how_to_come_in(tmp_path: Path) -> None:
    with served(tmp_path, "--host", "localhost") as server:
        ready = server.ready

        assert server.ready_file.stat().st_mode & 0o777 == 0o600
        assert ready["pid"] == server.process.pid
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", ready["url"])
        assert set(ready) == {"url", "pid", "version", "env"}
        assert ready["env"]["CONDUCTOR_URL"] == ready["env"]["CONDUCTOR_API_URL"] == ready["url"]
        assert ready["env"]["CONDUCTOR_AUTH_URL"] == ready["url"]
        assert "127.0.0.1" in ready["env"]["NO_PROXY"]
        assert server.session().get(f"{server.url}/api/v1/jobs", timeout=PATIENCE_S).json() == {"data": []}


def test_the_ready_file_comes_whole_and_when_connections_are_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written under another name first, and only while the socket listens."""
    seen = []
    replace = Path.replace

    def watch(self: Path, name: Path) -> Path:
        url = json.loads(self.read_text())["url"]
        with socket.create_connection(("127.0.0.1", int(urlsplit(url).port or 0)), timeout=PATIENCE_S):
            seen.append(self.name)
        return replace(self, name)

    with Server(create_app(Settings(ephemeral=True))) as server:
        monkeypatch.setattr(Path, "replace", watch)
        write_ready_file(tmp_path / "ready.json", server)
        monkeypatch.undo()

    assert len(seen) == 1
    assert seen[0] != "ready.json"
    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]


def test_a_file_that_cannot_be_written_leaves_nothing_half(tmp_path: Path) -> None:
    (tmp_path / "ready.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "ready.json", "text")

    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_cleanly_and_a_snapshot_is_taken(
    tmp_path: Path, number: signal.Signals
) -> None:
    with served(tmp_path) as server:
        with server.session() as session:
            assert (
                session.post(f"{server.url}/jobs/", json=job_payload(), timeout=PATIENCE_S).status_code == 201
            )
        assert server.end(number) == 0
        assert "stopping" in "".join(server.output)
        assert "Traceback" not in "".join(server.output)
    with served(tmp_path) as server, server.session() as session:
        assert len(session.get(f"{server.url}/api/v1/jobs", timeout=PATIENCE_S).json()["data"]) == 1
        rows = _rows(tmp_path / "data" / "conductor.db", "SELECT seq FROM snapshots")
        assert rows == [(2,)]


def _rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_the_output_of_a_server_holds_no_secret(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        with server.session() as session:
            bearer = str(session.headers["Authorization"]).removeprefix("Bearer ")
            url = upload_url(session, server.url, b"scene")
            session.put(url, data=b"scene", timeout=PATIENCE_S)
        key = server.api_key["private_key"].splitlines()[1]
        server.end()
        output = "".join(server.output)

    assert "GET /api/oauth_jwt 200" in output
    assert key not in output
    assert bearer not in output
    assert url.rpartition("=")[2] not in output


def test_a_log_can_be_lines_of_json(tmp_path: Path) -> None:
    with served(tmp_path, "--log-format", "json") as server:
        server.session().close()
        server.end()
        lines = [json.loads(line) for line in server.output if line.startswith("{")]

    assert [line["message"].startswith("GET /api/oauth_jwt 200") for line in lines] == [True]
    assert set(lines[0]) == {"time", "level", "logger", "message"}


@pytest.fixture
def refused_start() -> Iterator[Callable[..., str]]:
    """Starts a server in this process that cannot start, and tells what it says."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def start(*arguments: str) -> str:
        finished = CliRunner().invoke(main, ["serve", *arguments])
        assert finished.exit_code == 2, finished
        return finished.output

    yield start
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_port_in_use_is_a_clear_message_and_exit_2(
    tmp_path: Path, server: ServedProcess, refused_start: Callable[..., str]
) -> None:
    said = refused_start("--port", str(server.port), "--data-dir", str(tmp_path))

    assert f"cannot listen on 127.0.0.1:{server.port}" in said
    assert "in use: end what listens there, or name another --port (0 takes a free one)" in said


def test_a_start_without_enough_threads_says_what_is_used_up_and_leaves_the_directory_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many it gets."""
    start = threading.Thread.start
    monkeypatch.setattr(EndingSignals, "next", lambda *_: 15)
    for most in range(100):
        left = [most]

        def refuse(thread: threading.Thread, left: list[int] = left) -> None:
            if not left[0] and threading.current_thread().name != "conductor-mock":  # it is begun
                raise RuntimeError("can't start new thread")
            left[0] = max(0, left[0] - 1)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", refuse)
        said = CliRunner().invoke(main, ["serve", "--port", "0", "--data-dir", str(tmp_path)])
        monkeypatch.setattr(threading.Thread, "start", start)
        if said.exit_code == 0:
            break
        assert (said.exit_code, "no thread can be started: this user" in said.output) == (2, True), (
            said.output
        )
        assert "listen" not in said.output
    assert said.exit_code == 0
    assert most > 4


def test_a_directory_in_use_is_a_clear_message_and_exit_2(
    tmp_path: Path, refused_start: Callable[..., str]
) -> None:
    with served(tmp_path) as running:
        data = tmp_path / "data"
        other = (
            "--data-dir",
            str(tmp_path / "other"),
            "--database-url",
            f"sqlite:///{data / 'conductor.db'}",
        )
        for where in (("--data-dir", str(data)), other):
            said = refused_start("--port", "0", *where)
            assert "is in use by another conductor-mock server" in said
            assert "stop that one first, or name another data directory" in said
            assert "Traceback" not in said
        assert running.process.poll() is None


def test_what_cannot_be_served_is_a_clear_message_and_exit_2(
    tmp_path: Path, refused_start: Callable[..., str]
) -> None:
    (tmp_path / "text").write_text("x")
    data = ("--port", "0", "--data-dir", str(tmp_path / "data"))

    assert "exclude each other" in refused_start(*data, "--ephemeral")
    assert "exclude each other" in refused_start("--shared", "--ephemeral")
    assert "exclude each other" in refused_start(
        "--ephemeral", "--database-url", f"sqlite:///{tmp_path / 'x.db'}"
    )
    assert "not supported" in refused_start(*data, "--database-url", "mysql://x/y")
    assert "--speed must be a number from 0" in refused_start(*data, "--speed", "-1")
    assert "--speed must be a number from 0" in refused_start(*data, "--speed", "nan")
    assert "catalogue" in refused_start(*data, "--catalog", str(tmp_path / "text"))
    assert "cannot use" in refused_start("--port", "0", "--data-dir", "/proc/nowhere")
    assert "ready file" in refused_start(
        *data, "--ready-file", str(tmp_path / "no" / "such" / "folder" / "r.json")
    )
    assert "needs --execute too" in refused_start(*data, "--executor", "dask://127.0.0.1:8786")
    assert "/nowhere cannot be read" in refused_start(*data, "--faults", "/nowhere")
    rules = tmp_path / "rules.yaml"
    rules.write_text("- fault: {kind: status}\n- fault: {kind: fire}\n", encoding="utf-8")
    assert "rule 2: /fault/kind must be one of status, quota" in refused_start(*data, "--faults", str(rules))


def test_a_directory_with_damaged_keys_is_a_clear_message_and_exit_2(
    tmp_path: Path, refused_start: Callable[..., str]
) -> None:
    (tmp_path / "keys.json").write_text('{"signing_key": 5}')

    assert "keys.json is damaged" in refused_start("--port", "0", "--data-dir", str(tmp_path))


def test_run_gives_a_command_its_environment_and_its_exit_code() -> None:
    program = """
import json, os, sys, urllib.request
key = json.loads(os.environ["CONDUCTOR_API_KEY"])
answer = urllib.request.urlopen(os.environ["CONDUCTOR_URL"] + "/_mock/health")
print(json.load(answer)["status"], key["client_id"], os.environ["no_proxy"], sys.argv[1:])
sys.exit(7)
"""
    finished = run_cli(
        "run", "--", sys.executable, "-c", program, "--an-option", "a b", http_proxy="http://nowhere:1"
    )

    assert finished.stdout.split(" ", 3) == [
        "ok",
        "conductor-mock",
        "127.0.0.1,localhost",
        "['--an-option', 'a b']\n",
    ]
    assert finished.returncode == 7


def test_run_answers_a_signal_as_shells_do() -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"

    assert run_cli("run", "--", sys.executable, "-c", program).returncode == 137


def test_run_says_when_there_is_no_such_command() -> None:
    finished = said_by("run", "--", "no-such-command-anywhere")

    assert (finished.exit_code, "cannot run no-such-command-anywhere" in finished.stderr) == (2, True)


def test_run_leaves_no_server_behind(capfd: pytest.CaptureFixture[str]) -> None:
    program = 'import os; print(os.environ["CONDUCTOR_URL"])'
    assert said_by("run", "--", sys.executable, "-c", program).exit_code == 0
    url = capfd.readouterr().out.strip()

    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(urlsplit(url).port or 0)), timeout=PATIENCE_S)


def test_run_keeps_what_is_in_a_data_directory(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = 'import os; print(os.environ["CONDUCTOR_API_KEY"])'
    keys = []
    for _ in range(2):
        said_by("run", "--data-dir", str(tmp_path), "--", sys.executable, "-c", program)
        keys.append(capfd.readouterr().out)

    assert "PRIVATE" in keys[0].upper()
    assert keys[0] == keys[1]


def test_env_prints_what_a_shell_can_evaluate(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        call = shlex.join(command("env", "--url", server.url, "--data-dir", str(tmp_path / "data")))
        shell = ["bash", "-c", f'eval "$({call})"; env -0']
        finished = subprocess.run(shell, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        environment = dict(line.split("=", 1) for line in finished.stdout.split("\0") if line)

        for name, value in server.ready["env"].items():
            assert environment[name] == value


def test_env_without_a_server_says_what_to_do(tmp_path: Path) -> None:
    finished = said_by("env", "--data-dir", str(tmp_path / "nowhere"))

    assert finished.exit_code == 2
    assert "start 'conductor-mock serve' first" in finished.stderr


def test_the_hint_of_a_throw_away_server_names_no_other_key(server: ServedProcess) -> None:
    server.wait_until_said(f"conductor-mock env --ready-file {server.ready_file})")


def test_env_reads_the_ready_file_of_a_throw_away_server(server: ServedProcess, tmp_path: Path) -> None:
    said = said_by("env", "--ready-file", str(server.ready_file))
    exports = [f"export {name}={shlex.quote(value)}" for name, value in server.ready["env"].items()]

    *exported, unset = said.stdout.splitlines()
    assert exported == exports
    assert unset.startswith("unset ")
    both = said_by("env", "--ready-file", str(server.ready_file), "--url", server.url)
    assert (both.exit_code, "give it alone" in both.stderr) == (2, True)
    gone = said_by("env", "--ready-file", str(tmp_path / "gone"))
    assert (gone.exit_code, "is the server running?" in gone.stderr) == (2, True)


def test_a_server_can_be_started_and_stopped_in_a_process_again_and_again() -> None:
    for _ in range(3):
        with Server(create_app(Settings(ephemeral=True))) as started:
            answer = requests.get(f"{started.url}/_mock/health", timeout=PATIENCE_S)
            assert answer.json()["status"] == "ok"
            answer.close()


def test_a_port_in_use_is_an_address_error() -> None:
    with Server(create_app(Settings(ephemeral=True))) as started:
        app = create_app(Settings(ephemeral=True))
        try:
            with pytest.raises(AddressError, match="cannot listen on"):
                Server(app, port=started.port)
        finally:
            close_app(app)


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")
def test_an_ipv6_address_is_written_in_brackets() -> None:
    app = create_app(Settings(ephemeral=True))
    try:
        server = Server(app, host="::1")
    except AddressError as error:
        pytest.skip(f"the loopback of IPv6 is not set up here: {error}")
    with server as started:
        assert started.url == f"http://[::1]:{started.port}"
        assert requests.get(f"{started.url}/_mock/health", timeout=PATIENCE_S).status_code == 200
