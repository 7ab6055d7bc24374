"""The recording proxy between clients that are odd and services that are."""

from __future__ import annotations

import gzip
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import trustme
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts import capture
from conductor_contracts.capture import Recorder, proxy
from conductor_contracts.cli import main

Raw = bytes


class Upstream(ThreadingHTTPServer):
    """A service that answers every request with the same bytes, whatever they are."""

    daemon_threads = True

    def __init__(self, answer: Raw) -> None:
        self.heads: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def handle(handler) -> None:  # the server is what `self` means here
                head = b""
                while not head.endswith(b"\r\n\r\n") and (line := handler.rfile.readline()):
                    head += line
                self.heads.append(head.decode("latin-1"))
                handler.wfile.write(answer)

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that went away."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def between(answer: Raw) -> Iterator[tuple[str, Recorder, Upstream]]:
    """A proxy before a service that gives this answer."""
    upstream, recorder = Upstream(answer), Recorder()
    server = proxy(upstream.url, recorder)
    with serving(upstream), serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}", recorder, upstream


def ask(url: str, raw: Raw) -> bytes:
    """All that comes back for these bytes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


def answered(status: str, *headers: str, body: bytes = b"", length: bool = True) -> Raw:
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else []), "", ""]
    return "\r\n".join(lines).encode() + body


BODY = b'{"data": []}'
ANSWERS = {
    "plain": answered("200 OK", body=BODY),
    "gzip": answered("200 OK", "Content-Encoding: gzip", body=gzip.compress(BODY)),
    "chunked": answered(
        "200 OK", "Transfer-Encoding: chunked", body=b'5\r\n{"dat\r\n7\r\na": []}\r\n0\r\n\r\n', length=False
    ),
    "until the end": answered("200 OK", "Connection: close", body=BODY, length=False),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_a_body_arrives_and_is_recorded_however_it_came(answer: Raw) -> None:
    with between(answer) as (url, recorder, _):
        found = requests.get(f"{url}/api/v1/jobs", timeout=20)
        assert found.content == BODY
        (document,) = yaml.safe_load_all(recorder.interactions())
        assert document["interactions"][0]["steps"][0]["expect"] == {"status": 200, "body": {"data": []}}


@pytest.mark.parametrize(
    "body",
    [
        b'{"message": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'["a\\ud83d"]',
        b"[NaN]",
        b"[-Infinity]",
        b"[1e999]",
        b"[" * 99_999,
        b'"\xff"',
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_an_answer_that_json_cannot_carry_is_passed_on_and_spoils_no_capture(body: Raw) -> None:
    with between(answered("200 OK", body=body)) as (url, recorder, _):
        assert requests.get(f"{url}/api/v1/jobs", timeout=20).content == body
        (document,) = yaml.safe_load_all(recorder.interactions())
        assert document["interactions"][0]["steps"][0]["expect"] == {"status": 200}


@pytest.mark.parametrize(
    "status", ["302 Found", "307 Temporary Redirect", "500 Oops", "503 Busy", "204 Nothing"]
)
def test_what_a_service_says_beside_a_good_answer_is_passed_on_as_it_is(status: str) -> None:
    answer = answered(status, "Location: http://127.0.0.1:1/", "Set-Cookie: a=1", "Set-Cookie: b=2; Path=/")
    with between(answer) as (url, recorder, _):
        found = requests.post(f"{url}/jobs/", json={}, timeout=20, allow_redirects=False)
        assert f"{found.status_code}" == status[:3]
        assert found.headers["Location"] == "http://127.0.0.1:1/"
        assert found.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2; Path=/"]
        assert f"status: {status[:3]}" in recorder.interactions()


def test_the_length_that_a_head_promises_is_passed_on() -> None:
    with between(answered("200 OK", "Content-Length: 1234567", length=False)) as (url, _, _):
        found = requests.head(f"{url}/objects/x", timeout=20)
        assert found.headers["Content-Length"] == "1234567"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"rubbish\r\n\r\n",
        answered("200 OK", "Content-Encoding: gzip", body=b"no gzip"),
        answered("200 OK", "Content-Length: 500", body=b"short", length=False),
        answered("200 OK", "Transfer-Encoding: chunked", body=b"zz\r\n", length=False),
        answered("200 OK", body=b"x" * 5000),
    ],
    ids=["nothing", "rubbish", "no gzip", "cut off", "no chunks", "too long"],
)
def test_an_answer_that_is_none_is_502_with_a_sentence_and_not_recorded(
    answer: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "MAX_BODY", 4096)
    with between(answer) as (url, recorder, _):
        found = requests.get(f"{url}/api/v1/jobs", timeout=20)
        assert found.status_code == 502
        assert found.json()["message"].startswith("upstream ")
        assert list(yaml.safe_load_all(recorder.interactions())) == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET @127.0.0.1:1/ HTTP/1.1", 400),
        ("GET http://127.0.0.1:1/ HTTP/1.1", 400),
        ("POST /jobs/ HTTP/1.1\r\nContent-Length: -1", 400),
        ("POST /jobs/ HTTP/1.1\r\nContent-Length: many", 400),
        ("POST /jobs/ HTTP/1.1\r\nContent-Length: ٣", 400),
        ("POST /jobs/ HTTP/1.1\r\nContent-Length: " + "9" * 5000, 413),
        ("POST /jobs/ HTTP/1.1\r\nTransfer-Encoding: chunked", 411),
    ],
)
def test_a_request_that_cannot_be_passed_on_is_refused_with_a_sentence(
    head: str, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with between(answered("200 OK", body=BODY)) as (url, _, upstream):
        found = ask(url, f"{head}\r\n\r\n".encode())
        assert found.startswith(f"HTTP/1.1 {status} ".encode())
        assert b'"message": "' in found
        assert upstream.heads == []
    assert capfd.readouterr().err == ""


@given(st.binary(max_size=200))
def test_no_bytes_of_a_client_end_in_a_traceback(raw: bytes) -> None:
    with between(answered("200 OK", body=BODY)) as (url, _, _):
        with pytest.MonkeyPatch.context() as patch:
            shown: list[object] = []
            patch.setattr("traceback.print_exc", lambda *_: shown.append(1))
            with suppress(ConnectionError):
                ask(url, raw)
        assert shown == []
        assert requests.get(f"{url}/", timeout=20).content == BODY


def test_a_client_that_goes_away_is_no_concern_of_anybody(capfd: pytest.CaptureFixture[str]) -> None:
    with between(answered("200 OK", body=b"x" * 1_000_000)) as (url, recorder, _):
        host, port = url.removeprefix("http://").split(":")
        for _ in range(5):
            connection = http.client.HTTPConnection(host, int(port))
            connection.request("GET", "/api/v1/jobs")
            connection.close()
        assert requests.get(f"{url}/", timeout=20).status_code == 200
        assert recorder.interactions()
    assert capfd.readouterr().err == ""


def test_the_token_of_the_client_goes_along_and_no_password_of_the_proxys_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login fred password hidden")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with between(answered("200 OK", body=BODY)) as (url, _, upstream):
        found = ask(
            url, b"GET /api/v1/jobs HTTP/1.1\r\nAuthorization: Bearer mine\r\nConnection: close\r\n\r\n"
        )
        assert found.endswith(BODY)
        ask(url, b"GET /api/v1/jobs HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert "Authorization: Bearer mine" in upstream.heads[0]
        assert "Authorization" not in upstream.heads[1]


def test_a_service_behind_tls_is_recorded_with_the_authorities_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    upstream, recorder = Upstream(answered("200 OK", body=BODY)), Recorder()
    upstream.socket = context.wrap_socket(upstream.socket, server_side=True)
    server = proxy(upstream.url.replace("http:", "https:"), recorder)
    with serving(upstream), serving(server):
        url = f"http://127.0.0.1:{server.server_address[1]}/api/v1/jobs"
        assert requests.get(url, timeout=20).status_code == 502
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert requests.get(url, timeout=20).content == BODY


def test_a_capture_that_cannot_begin_leaves_no_file(tmp_path: Path) -> None:
    output = tmp_path / "capture.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [
            "capture",
            "--upstream",
            "http://127.0.0.1:1",
            "--output",
            str(output),
            "--port",
            str(port),
        ]
        found = CliRunner().invoke(main, command)
    assert (found.exit_code, output.exists()) == (2, False)
    assert f"port {port}" in found.output
    for upstream in ("http://", "https://:80", "http://x:99999", "http://[", "ftp://x", "http:x"):
        found = CliRunner().invoke(main, ["capture", "--upstream", upstream, "--output", str(output)])
        assert (found.exit_code, output.exists()) == (2, False), upstream
        assert "--upstream must be" in found.output


def test_signals_end_a_capture_with_its_file_written(tmp_path: Path) -> None:
    output = tmp_path / "capture.yaml"
    upstream = Upstream(answered("200 OK", body=BODY))
    command = [sys.executable, "-m", "conductor_contracts", "capture", "--upstream", upstream.url]
    with (
        serving(upstream),
        subprocess.Popen(
            [*command, "--output", str(output)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout
        url = process.stdout.readline().strip().partition("=")[2]
        assert requests.get(f"{url}/api/v1/jobs", timeout=20).content == BODY
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(process.pid, number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.partition(";")[0]) == (0, f"wrote {output}; read it".partition(";")[0])
    assert "operation: jobs.list" in output.read_text()


SIGNAL_TO_ANOTHER_THREAD = """
import signal, sys, threading
from conductor_contracts.cli import main

def kill():
    pause, asleep = threading.Event(), 0
    while asleep < 20:  # so many looks at the main thread, which waits
        frame = sys._current_frames()[threading.main_thread().ident]
        asleep = asleep + 1 if frame.f_code.co_filename.endswith("commands/capture.py") else 0
        pause.wait(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

threading.Thread(target=kill, daemon=True).start()
main(sys.argv[1:])
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no thread can be sent a signal here")
def test_a_signal_that_another_thread_was_given_ends_a_capture(tmp_path: Path) -> None:
    output = tmp_path / "capture.yaml"
    words = ["capture", "--upstream", "http://127.0.0.1:9", "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", SIGNAL_TO_ANOTHER_THREAD, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, output.exists()) == (0, True), done.stderr


SIGNALS_AT_EVERY_LINE = """
import signal, sys, threading
from conductor_contracts.cli import main

def trace(frame, event, _):
    if frame.f_code.co_filename == threading.__file__ and event == "line":
        signal.raise_signal(signal.SIGINT)
    return trace

signal.signal(signal.SIGINT, lambda *_: None)
sys.settrace(trace)
main(sys.argv[1:])
"""


def test_a_signal_ends_a_capture_whatever_it_waits_in(tmp_path: Path) -> None:
    """A handler runs between any two lines of the thread that waits, where that may hold a lock."""
    output = tmp_path / "capture.yaml"
    arguments = ["capture", "--upstream", "http://127.0.0.1:1", "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", SIGNALS_AT_EVERY_LINE, *arguments],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert output.is_file()
