"""Connections and bodies as `serving.framing` makes them of cheroot's, without the rest of the server.

Both ends of a TCP connection are in the test's hands: what a client sends is there before it is served.
"""

from __future__ import annotations

import io
import json
import socket
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest
from cheroot.server import KnownLengthRFile
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from conductor_mock.serving import framing
from conductor_mock.serving.framing import (
    BLOCK,
    REQUEST,
    Body,
    Connection,
    Gateway,
    Listener,
    Request,
    refusal,
)
from conductor_mock.serving.head import RequestLine, _request_line
from conductor_mock.serving.recurring import MOST_BYTES

PATIENCE_S = 10
"""How long an end of a connection waits for the other before a test fails; nothing is measured with it."""
MAX_HEAD_BYTES = 4096
HOST = "Host: a.example"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = ("Content-Length", "5")
"""That of the application's answer."""


class WholeHeads(Connection):
    """A connection to which heads come as a whole, as those do that a thread looks after."""

    takes = True
    """Whether it knows of the next one that it is whole."""

    def arrived(self) -> tuple[RequestLine, bytes] | None:
        if not self.takes or not (line := self.rfile.readline()):
            return None
        return _request_line(line[:-2]), b"".join(iter(self.rfile.readline, b"\r\n")) + b"\r\n"


class Holding(Connection):
    """Notes in which order the answer is held, written and released."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.noted: list[str] = []
        write = self.wfile.write

        def noted_write(data: bytes) -> None:
            self.noted.append(bytes(data[:4]).decode())
            write(data)

        self.wfile.write = noted_write

    def hold(self) -> None:
        self.noted.append("hold")

    def release(self) -> None:
        self.noted.append("release")


class App:
    """Answers each request with `hello`, and keeps what it was asked with; `act` is done before."""

    def __init__(self, *fields: tuple[str, str], act: Any = None) -> None:
        self._fields = list(fields)
        self._act = act
        self.asked: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.asked.append(dict(environ))
        if self._act is not None:
            self._act(environ)
        body = Body(environ["wsgi.input"], chunked=environ["wsgi.input_terminated"])
        self.bodies.append(body.read())
        start_response("200 OK", self._fields)
        return [b"hello"]


class Unbound(Listener):
    """A listener that is handed its connections."""

    can_add_keepalive_connection = True

    def __init__(self, app: Any) -> None:
        super().__init__(("127.0.0.1", 80), app, timeout=PATIENCE_S, server_name="a.example")
        self.gateway = Gateway
        self.max_request_header_size = MAX_HEAD_BYTES
        self.errors: list[str] = []

    def error_log(self, msg: str = "", level: int = 0, traceback: bool = False) -> None:
        self.errors.append(msg)


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end of a connection, and the server's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname(), timeout=PATIENCE_S)
        served, _ = listening.accept()
        served.settimeout(PATIENCE_S)
        with client, served:
            yield client, served


class Talk:
    """One connection, and what its client gets."""

    def __init__(
        self, client: socket.socket, served: socket.socket, app: Any, kind: type[Connection] = Connection
    ) -> None:
        self.client, self.served = client, served
        self.listener = Unbound(app)
        self.connection = kind(self.listener, served)

    def send(self, data: bytes, *, is_all: bool = False) -> None:
        self.client.sendall(data)
        if is_all:
            self.client.shutdown(socket.SHUT_WR)

    def serve(self) -> bool:
        """Answer one request; whether the connection goes on."""
        return bool(self.connection.communicate())  # type: ignore[no-untyped-call]

    def rest(self) -> bytes:
        """All that the client gets to the end."""
        return b"".join(iter(lambda: self.client.recv(1 << 16), b""))


@contextmanager
def talk(app: Any = None, kind: type[Connection] = Connection) -> Iterator[Talk]:
    with pair() as (client, served):
        yield Talk(client, served, app or App(LENGTH), kind)


def exchange(sent: bytes, app: Any = None, kind: type[Connection] = Connection) -> bytes:
    """What a client gets who sends this and nothing more, and waits for the end."""
    with talk(app, kind) as spoken:
        spoken.send(sent, is_all=True)
        while spoken.serve():
            pass
        assert not spoken.listener.errors
        spoken.connection.close()
        return spoken.rest()


def asking(
    *fields: str, method: str = "GET", target: str = "/a", version: str = "1.1", body: bytes = b""
) -> bytes:
    lines = [f"{method} {target} HTTP/{version}", HOST, *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def fields_of(answered: bytes) -> list[tuple[str, str]]:
    """The fields of the first answer, their names in lower case."""
    lines = answered.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def values(answered: bytes, name: str) -> list[str]:
    return [value for other, value in fields_of(answered) if other == name]


KINDS = pytest.mark.parametrize("kind", [Connection, WholeHeads])


# Heads


@KINDS
def test_an_application_is_told_all_of_a_request(kind: type[Connection]) -> None:
    """Twice, for the second one may be made of what was kept of the first."""
    app = App(LENGTH)
    sent = asking("X-Any: 1", "Content-Length: 2", method="PUT", target="/a%20b%FF?c=%20", body=b"{}")
    assert exchange(sent * 2, app, kind).count(OK) == 2
    assert app.bodies == [b"{}", b"{}"]
    for environ in app.asked:
        request = environ[REQUEST]
        assert isinstance(request, Request)
        assert (request.method, request.uri) == (b"PUT", b"/a%20b%FF?c=%20")
        assert environ["wsgi.input"] is request.rfile
        assert environ["wsgi.errors"] is sys.stderr
        assert {
            "PATH_INFO": "/a b\xff",
            "QUERY_STRING": "c=%20",
            "REQUEST_METHOD": "PUT",
            "REQUEST_URI": "/a%20b%FF?c=%20",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "a.example",
            "HTTP_X_ANY": "1",
            "CONTENT_LENGTH": "2",
            "wsgi.input_terminated": False,
        }.items() <= environ.items()


def test_the_key_of_the_request_is_no_header() -> None:
    assert not REQUEST.startswith("HTTP_")


ASKED = st.builds(
    asking,
    st.sampled_from(["X-Any: 1", "X-Any: 2", "Connection: keep-alive"]),
    method=st.sampled_from(["GET", "DELETE"]),
    target=st.sampled_from(["/a", "/b%FF", "/b?c=d", "/b?e", "http://b.example/a"]),
    version=st.sampled_from(["1.0", "1.1"]),
)


@given(st.lists(ASKED, min_size=2, max_size=4))
@example([asking("X-Any: 1"), asking("X-Any: 1", method="DELETE", target="/b%FF?c=d")])
@example([asking("X-Any: 1"), asking("X-Any: 2"), asking("X-Any: 2")])
@example([asking("Connection: keep-alive", version="1.0"), asking("Connection: keep-alive")])
def test_what_is_kept_of_a_request_is_nothing_to_the_next_one(sent: list[bytes]) -> None:
    """An application is told the same of each as if it had come on a connection of its own."""

    def told(requests: bytes, kind: type[Connection]) -> list[dict[str, Any]]:
        app = App(LENGTH)
        exchange(requests, app, kind)
        return [{**environ, "wsgi.input": None, REQUEST: None} for environ in app.asked]

    together = told(b"".join(sent), WholeHeads)
    assert together == [told(one, Connection)[0] for one in sent[: len(together)]]
    assert len(together) == len(sent) or b"HTTP/1.0" in sent[len(together) - 1]


def test_errors_of_a_request_go_where_they_go_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with talk(app := App(LENGTH), WholeHeads) as spoken:
        spoken.send(asking() * 2)
        assert spoken.serve()
        monkeypatch.setattr(sys, "stderr", later := io.StringIO())
        assert spoken.serve()
    assert app.asked[0]["wsgi.errors"] is not later
    assert app.asked[1]["wsgi.errors"] is later


def test_fields_are_kept_with_a_connection_and_nothing_of_a_body() -> None:
    with talk(kind=WholeHeads) as spoken:
        spoken.send(asking("Content-Length: 2", body=b"{}") * 2)
        assert spoken.serve()
        kept = spoken.connection.recurring
        assert kept is not None
        assert kept.block == b"Host: a.example\r\nContent-Length: 2\r\n\r\n"
        assert kept.environ is not None
        assert kept.environ["wsgi.input"] is None
        assert REQUEST not in kept.environ
        made = kept.environ
        assert spoken.serve()
        assert spoken.connection.recurring is kept
        assert kept.environ is made, "it is made once"


@pytest.mark.parametrize(
    "other", [asking(target="http://b.example/"), asking("X-Long: " + "x" * MOST_BYTES)], ids=["host", "long"]
)
def test_fields_that_hardly_come_again_are_not_kept(other: bytes) -> None:
    with talk(kind=WholeHeads) as spoken:
        spoken.send(asking() + other)
        assert spoken.serve()
        assert spoken.connection.recurring is not None
        assert spoken.serve()
        assert spoken.connection.recurring is None


def test_a_head_that_did_not_come_as_a_whole_has_its_own_fields() -> None:
    """Whatever is kept of those before."""
    with talk(app := App(LENGTH), WholeHeads) as spoken:
        spoken.send(asking("X-Any: 1") + asking("X-Any: 2", target="/b"))
        assert spoken.serve()
        spoken.connection.takes = False  # type: ignore[attr-defined]
        assert spoken.serve()
    assert [(asked["HTTP_X_ANY"], asked["PATH_INFO"]) for asked in app.asked] == [("1", "/a"), ("2", "/b")]


@KINDS
@pytest.mark.parametrize(
    ("field", "body", "is_told"),
    [
        ("Content-Length: 5", b"hello", True),
        ("Content-Length: 1", b"h", True),
        ("Content-Length: 0", b"", False),
        ("X-Any: 1", b"", False),
        (CHUNKED, b"1\r\nh\r\n0\r\n\r\n", True),
    ],
)
def test_who_waits_with_a_body_is_told_to_go_on(
    kind: type[Connection], field: str, body: bytes, is_told: bool
) -> None:
    """One without a body is answered at once, and so is one that does not wait."""
    answered = exchange(asking("Expect: 100-continue", field, body=body), kind=kind)
    assert answered.startswith(CONTINUE + OK if is_told else OK)
    assert exchange(asking(field, body=body), kind=kind).startswith(OK)


@KINDS
def test_a_body_is_framed_as_its_head_says(kind: type[Connection]) -> None:
    app = App(LENGTH)
    chunks = asking(CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n")
    assert exchange(asking("Content-Length: 5", body=b"hello") + chunks + asking(), app, kind).count(OK) == 3
    assert app.bodies == [b"hello", b"hello", b""]
    assert [asked["wsgi.input_terminated"] for asked in app.asked] == [False, True, False]


@KINDS
def test_a_connection_ends_without_a_word_where_its_client_ends(kind: type[Connection]) -> None:
    assert exchange(b"", kind=kind) == b""


# Answers


@KINDS
@pytest.mark.parametrize(
    ("version", "asked", "said", "told", "goes_on"),
    [
        ("1.1", [], [LENGTH], [], True),
        ("1.1", [], [], [], True),
        ("1.1", [], [LENGTH, ("Connection", "close")], ["close"], False),
        ("1.1", [], [("connection", "close"), LENGTH], ["close"], False),
        ("1.1", [], [LENGTH, ("Connection", "upgrade")], ["upgrade"], True),
        ("1.1", [], [LENGTH, ("X-Any", "close")], [], True),
        ("1.1", ["Connection: close"], [LENGTH], ["close"], False),
        ("1.1", ["Connection: close"], [], ["close"], False),
        ("1.0", [], [LENGTH], ["close"], False),
        ("1.0", [], [LENGTH, ("Connection", "close")], ["close"], False),
        ("1.0", ["Connection: keep-alive"], [LENGTH], ["Keep-Alive"], True),
        ("1.0", ["Connection: keep-alive"], [LENGTH, ("Connection", "close")], ["close"], False),
    ],
)
def test_an_answer_says_whether_its_connection_closes(
    kind: type[Connection],
    version: str,
    asked: list[str],
    said: list[tuple[str, str]],
    told: list[str],
    goes_on: bool,
) -> None:
    with talk(App(*said), kind) as spoken:
        spoken.send(asking(*asked, version=version))
        assert spoken.serve() == goes_on
        spoken.send(b"", is_all=True)
        spoken.connection.close()
        answered = spoken.rest()
    assert answered.startswith(OK)
    assert values(answered, "connection") == told
    assert answered.endswith(b"\r\n\r\n" + (b"hello" if LENGTH in said else b"5\r\nhello\r\n0\r\n\r\n"))


def test_an_old_client_gets_no_chunks() -> None:
    answered = exchange(asking(version="1.0"), App())
    assert values(answered, "transfer-encoding") == []
    assert answered.endswith(b"\r\n\r\nhello")


def test_an_answer_has_the_date_of_the_listener_or_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "time", SimpleNamespace(time=lambda: 86400.5))
    assert values(exchange(asking()), "date") == ["Fri, 02 Jan 1970 00:00:00 GMT"]
    own = exchange(asking(), App(LENGTH, ("Date", "Thu, 01 Jan 1970 00:00:00 GMT")))
    assert values(own, "date") == ["Thu, 01 Jan 1970 00:00:00 GMT"]


@given(st.lists(st.floats(0, 5), max_size=9))
@example([0, 0.9, 1, 1.9, 0])
def test_a_date_is_that_of_its_second_and_made_once(times: list[float]) -> None:
    listener = Unbound(None)
    last: tuple[int, bytes] | None = None
    with pytest.MonkeyPatch.context() as patched:
        for now in times:
            patched.setattr(framing, "time", SimpleNamespace(time=lambda now=now: now))
            told = listener.date()
            assert told == formatdate(int(now), usegmt=True).encode()
            assert last is None or last[0] != int(now) or last[1] is told
            last = (int(now), told)


@pytest.mark.parametrize(
    ("method", "noted"),
    [
        ("GET", ["hold", "HTTP", "hell", "release"]),
        ("HEAD", ["hold", "HTTP", "release"]),
    ],
)
def test_the_head_of_an_answer_is_held_for_what_follows_it(method: str, noted: list[str]) -> None:
    """What is held at the end is sent, so that an answer without a body is, too."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [LENGTH])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"hello"]

    with talk(app, Holding) as spoken:
        spoken.send(asking(method=method))
        assert spoken.serve()
        assert spoken.connection.noted == noted  # type: ignore[attr-defined]


def test_what_is_held_is_sent_where_the_application_fails() -> None:
    def app(_: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [LENGTH])
        yield b"he"
        raise RuntimeError("no more")

    with talk(app, Holding) as spoken:
        spoken.send(asking())
        assert not spoken.serve()
        assert spoken.connection.noted[-1] == "release"  # type: ignore[attr-defined]
        assert spoken.listener.errors == ["RuntimeError('no more')"]


# Refusals


@pytest.mark.parametrize(("message", "told"), [("it is none", "it is none"), ("", "Bad Request")])
def test_a_refusal_has_the_error_shape_and_its_reason(message: str, told: str) -> None:
    head, body = refusal("400 Bad Request", message)
    assert json.loads(body) == {"status": "error", "message": told, "errors": [{"path": "", "message": told}]}
    assert head == (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    )


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        (b"hello\r\n\r\n", HTTPStatus.BAD_REQUEST, "no request line"),
        (asking("X : 1"), HTTPStatus.BAD_REQUEST, "no header"),
        (asking("Expect: more"), HTTPStatus.EXPECTATION_FAILED, "cannot be met"),
        (asking(f"X: {'x' * MAX_HEAD_BYTES}"), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "longer than"),
    ],
)
def test_a_head_that_is_refused_is_told_why_and_closes(sent: bytes, status: HTTPStatus, told: str) -> None:
    app = App(LENGTH)
    answered = exchange(sent + asking(), app)
    head, _, body = answered.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode())
    assert told in json.loads(body)["message"]
    assert app.asked == []


@KINDS
def test_a_refusal_of_a_head_request_has_no_body(kind: type[Connection]) -> None:
    answered = exchange(asking("Expect: more", method="HEAD"), kind=kind)
    assert answered.startswith(b"HTTP/1.1 417 ")
    assert answered.endswith(b"\r\n\r\n")


@KINDS
def test_a_request_in_which_a_wait_is_over_is_told_so(kind: type[Connection]) -> None:
    def act(_: dict[str, Any]) -> None:
        raise TimeoutError("timed out")

    answered = exchange(asking(), App(act=act), kind)
    assert answered.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answered.endswith(refusal("408 Request Timeout")[1])


def test_a_client_that_is_gone_is_not_told_why_it_is_refused() -> None:
    with talk() as spoken:
        spoken.send(b"hello\r\n\r\n")
        reset(spoken.client)
        assert not spoken.serve()
        assert not spoken.listener.errors


# The end of a connection


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


UNREAD = bytes(50_000)
"""More than a connection reads ahead of what it is asked for."""


def test_a_connection_is_closed_and_not_reset_behind_its_answer() -> None:
    with talk() as spoken:
        spoken.send(asking("Connection: close"))
        assert not spoken.serve()
        assert not spoken.connection.lingers
        spoken.connection.close()
        assert spoken.rest().startswith(OK)


def test_a_connection_that_is_broken_is_reset() -> None:
    with talk() as spoken:
        spoken.send(asking())
        assert spoken.serve()
        spoken.connection.broken = True
        spoken.connection.close()
        with pytest.raises(ConnectionResetError):
            spoken.rest()


@contextmanager
def closing(spoken: Talk) -> Iterator[threading.Thread]:
    """While a connection is closed; in the end it is."""
    thread = threading.Thread(target=spoken.connection.close, daemon=True)
    thread.start()
    yield thread
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert spoken.served.fileno() == -1


def abandoned(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ[REQUEST].abandon()
    start_response("200 OK", [LENGTH])
    return [b"hello"]


@pytest.mark.parametrize(
    ("sent", "told"),
    [(asking("Content-Length: 500000"), OK), (b"hello\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n")],
    ids=["abandoned", "refused"],
)
def test_who_still_sends_sees_the_last_answer_and_may_go_on_to_its_end(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, told: bytes
) -> None:
    """RFC 9112 9.6: a connection that is closed with bytes unread is reset, and the answer may be lost."""
    monkeypatch.setattr(framing, "LINGER_S", 10 * PATIENCE_S)
    with talk(abandoned) as spoken:
        spoken.send(sent + UNREAD)
        assert not spoken.serve()
        with closing(spoken) as thread:
            answered = spoken.rest()
            for _ in range(9):
                spoken.send(UNREAD)
            assert thread.is_alive()
            spoken.client.close()
    assert answered.startswith(told)
    assert answered.count(b"HTTP/1.1 ") == 1
    assert values(answered, "connection") == ["close"]


def test_who_says_nothing_is_not_lingered_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "LINGER_S", 0.01)
    with talk() as spoken:
        spoken.served.settimeout(None)
        spoken.connection.lingers = True
        with closing(spoken):
            pass


def test_it_is_not_lingered_for_more_than_is_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "DRAIN_BYTES", 3)
    monkeypatch.setattr(framing, "BLOCK", 1)
    with talk() as spoken:
        spoken.send(b"hello", is_all=True)
        spoken.connection._linger()
        assert spoken.served.recv(9) == b"lo"


def test_a_client_that_is_gone_is_not_lingered_for() -> None:
    with talk() as spoken:
        reset(spoken.client)
        spoken.connection.lingers = True
        with closing(spoken):
            pass


def test_a_connection_in_whose_way_nobody_is_waits_as_it_is() -> None:
    with talk() as spoken, spoken.connection.waiting():
        assert spoken.served.fileno() != -1


def test_a_socket_is_bound_or_given_back() -> None:
    sock = socket.socket()
    assert Listener.bind_socket(sock, ("127.0.0.1", 0)) is sock
    with sock:
        taken = sock.getsockname()
        assert taken[0] == "127.0.0.1"
        sock.listen()
        other = socket.socket()
        with pytest.raises(OSError):
            Listener.bind_socket(other, taken)
        assert other.fileno() == -1


# Bodies


def counted(data: bytes, length: int) -> Body:
    return Body(KnownLengthRFile(io.BytesIO(data), length), chunked=False)


def chunked(data: bytes) -> tuple[Body, io.BytesIO]:
    """The body, and where it is read from."""
    stream = io.BytesIO(data)
    return Body(SimpleNamespace(rfile=stream), chunked=True), stream


@given(st.binary(max_size=40), st.integers(0, 9), st.sampled_from([None, -1, -5, "none"]))
@example(b"hello", 1, None)
def test_a_body_of_a_known_length_is_read_in_pieces_and_to_its_end(
    data: bytes, size: int, rest: int | str | None
) -> None:
    """None, a number below zero and no number mean all that is left; nothing of what follows is read."""
    body = counted(data + b"GET", len(data))
    assert body.read(0) == b""
    assert body.read(size) == data[:size]
    assert (body.read() if isinstance(rest, str) else body.read(rest)) == data[size:]
    assert body.read() == b""


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=4), st.integers(1, 9))
@example([b"0123456789abcdefgh", b"\r\n", b"x"], 1)
def test_a_chunked_body_is_read_in_pieces_and_to_its_end(parts: list[bytes], size: int) -> None:
    """Nothing of what follows is read, however often it is asked for more."""
    sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    body, stream = chunked(sent + b"0\r\nX: 1\r\n\r\nGET")
    found = body.read(0)
    while block := body.read(size):
        assert len(block) <= size
        assert body.read(0) == b""
        found += block
    assert found == b"".join(parts)
    assert body.read() == body.read(1) == b""
    assert stream.read() == b"GET"


def test_a_body_is_of_any_size_though_it_is_read_in_blocks() -> None:
    data = bytes(2 * BLOCK + 1)
    assert counted(data, len(data)).read() == data
    assert chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))[0].read() == data


def test_a_body_has_no_lines() -> None:
    with pytest.raises(NotImplementedError):
        counted(b"a\nb\n", 4).readline()


def test_a_body_that_ends_before_its_length_is_told_by_how_much() -> None:
    body = counted(b"hello", 8)
    assert body.read(5) == b"hello"
    for _ in range(2):
        with pytest.raises(BadRequest, match="could not be read"):
            body.read(5)
    with pytest.raises(BadRequest, match="3 bytes before its Content-Length"):
        counted(b"hello", 8).read()


LINE = 4096
"""Bytes of a line within a chunked body, its end included."""
TRAILERS = 99

GOOD_ENDS = {
    "no trailers": b"0\r\n\r\n",
    "zeros": b"000\r\n\r\n",
    "an extension": b"0;a=b\r\n\r\n",
    "as long a line as may be": b"0;" + b"a" * (LINE - 4) + b"\r\n\r\n",
    "as many trailers as may be": b"0\r\n" + b"X: 1\r\n" * TRAILERS + b"\r\n",
}
BAD_ENDS = {
    "too long a line": b"0;" + b"a" * (LINE - 3) + b"\r\n\r\n",
    "too many trailers": b"0\r\n" + b"X: 1\r\n" * (TRAILERS + 1) + b"\r\n",
    "no trailer": b"0\r\nno trailer\r\n\r\n",
    "no empty line": b"0\r\n",
    "a bare LF": b"0\n\r\n",
    "nothing": b"",
    "no size": b"x\r\n\r\n",
    "a chunk that is too long": b"1\r\nab\r\n0\r\n\r\n",
    "a chunk that is too short": b"3\r\nab\r\n0\r\n\r\n",
    "half a chunk": b"3\r\na",
}


@pytest.mark.parametrize("end", GOOD_ENDS.values(), ids=GOOD_ENDS.keys())
def test_a_chunked_body_ends_behind_its_trailers(end: bytes) -> None:
    body, stream = chunked(b"5\r\nhello\r\n" + end + b"GET")
    assert body.read() == b"hello"
    assert stream.read() == b"GET"


@pytest.mark.parametrize("end", BAD_ENDS.values(), ids=BAD_ENDS.keys())
def test_a_chunked_body_that_is_framed_wrongly_is_never_read_to_an_end(end: bytes) -> None:
    """What follows may look like a chunk: it is none of this body any more."""
    body, stream = chunked(b"5\r\nhello\r\n" + end)
    assert body.read(5) == b"hello"
    with pytest.raises(BadRequest, match="could not be read: "):
        body.read()
    stream.write(b"5\r\nhello\r\n0\r\n\r\n")
    stream.seek(-15, io.SEEK_END)
    for size in (1, -1):
        with pytest.raises(BadRequest, match="could not be read"):
            body.read(size)
    assert body.drain() is False


def test_a_body_that_cannot_be_read_is_the_fault_of_its_client() -> None:
    class Gone:
        remaining = 5

        def read(self, _: int) -> bytes:
            raise ConnectionResetError("gone")

    with pytest.raises(BadRequest, match="could not be read: gone"):
        Body(Gone(), chunked=False).read(1)


@pytest.mark.parametrize(("length", "is_read"), [(0, True), (9, True), (10, False), (11, False)])
@pytest.mark.parametrize("block", [1, 100])
def test_what_is_left_of_a_body_is_read_where_it_is_not_too_much(
    monkeypatch: pytest.MonkeyPatch, block: int, length: int, is_read: bool
) -> None:
    monkeypatch.setattr(framing, "DRAIN_BYTES", 10)
    monkeypatch.setattr(framing, "BLOCK", block)
    stream = io.BytesIO(bytes(length) + b"GET")
    assert Body(KnownLengthRFile(stream, length), chunked=False).drain() is is_read
    if is_read:
        assert stream.read() == b"GET"


def test_of_a_body_that_breaks_off_the_connection_is_of_no_more_use() -> None:
    assert counted(b"hello", 8).drain() is False
    assert counted(b"hello", 5).drain() is True
