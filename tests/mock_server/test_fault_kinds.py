"""What each kind of fault does, over a socket and as the requests library sees it in process: the same."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import IncompleteRead
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from conductor_mock.app import create_app
from conductor_mock.commands.faults import add as faults_add
from conductor_mock.context import service_of
from conductor_mock.faults import bodies, kinds
from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.faults.kinds import BY_NAME, KINDS
from conductor_mock.faults.kinds.drip import Drip
from conductor_mock.faults.options import meaning_of, type_of
from conductor_mock.faults.reference import options_by_name
from conductor_mock.inprocess import in_process
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.wire.answer import Answer
from support.execution import eventually
from support.served import PATIENCE_S, RawConnection, token
from support.server import candidate, job_payload, md5_of

BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@dataclass(frozen=True)
class World:
    """A fake that is asked as the default account, and its port where it has one."""

    session: requests.Session
    url: str
    port: int = 0
    key: str = ""

    def renew(self) -> None:
        """Fetch another token."""
        given = token(self.session, self.url, json.loads(self.key))
        self.session.headers["Authorization"] = f"Bearer {given}"

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, f"{self.url}{path}", json=body, timeout=PATIENCE_S)

    def fault(self, kind: str, operation: str = "jobs.create", **rule: Any) -> None:
        options = {
            option.name: rule.pop(option.name) for option in BY_NAME[kind].options() if option.name in rule
        }
        fault = {"match": {"operation": operation}, "fault": {"kind": kind, **options}, "times": 1, **rule}
        answer = self.ask("POST", "/_mock/faults", fault)
        assert answer.status_code == 200, answer.text

    def submit(self, **headers: str) -> requests.Response:
        return self.session.post(f"{self.url}/jobs/", json=job_payload(), headers=headers, timeout=PATIENCE_S)

    def upload_url(self, content: bytes) -> str:
        body = {"upload_files": [candidate("/proj/a.ma", content)]}
        answer = self.ask("POST", "/api/v2/files/get_upload_urls", body)
        return str(answer.json()["singlePartURLs"][0]["preSignedURL"])

    def files(self) -> dict[str, str]:
        return {file["path"]: file["md5"] for file in self.ask("GET", "/_mock/files").json()["files"]}

    def jobs(self) -> int:
        return len(self.ask("GET", "/api/v1/jobs").json()["data"])

    def journal(self, operation: str = "jobs.create") -> list[dict[str, Any]]:
        entries = self.ask("GET", f"/_mock/requests?operation={operation}").json()["requests"]
        return [entry.get("fault") for entry in entries]


def world(session: requests.Session, url: str, key: str, port: int = 0) -> World:
    session.trust_env = False
    made = World(session, url, port, key)
    made.renew()
    return made


@contextmanager
def over_a_socket(**settings: Any) -> Iterator[World]:
    app = create_app(Settings(ephemeral=True, speed=0, **settings))
    with Server(app) as server, requests.Session() as session:
        yield world(session, server.url, service_of(app).keys.api_key(), server.port)


@contextmanager
def in_this_process(**settings: Any) -> Iterator[World]:
    options = Settings(ephemeral=True, speed=0, **settings)
    with in_process(options) as fake, requests.Session() as session:
        yield world(session, fake.url, service_of(fake.app).keys.api_key())


@pytest.fixture(params=[over_a_socket, in_this_process], ids=["socket", "in process"])
def here(request: pytest.FixtureRequest) -> Iterator[World]:
    with request.param() as opened:
        yield opened


# What every kind does to a job that is submitted


def refused(status: int, **headers: str) -> Callable[[requests.Response], None]:
    """An answer in the one shape of errors, which names the rule."""

    def check(answer: requests.Response) -> None:
        assert answer.status_code == status
        assert answer.json()["message"].startswith("fault 1 was asked for: ")
        assert headers.items() <= dict(answer.headers).items()

    return check


def named(jobid: str) -> Callable[[requests.Response], None]:
    """An answer as it should be, about this job."""

    def check(answer: requests.Response) -> None:
        assert (answer.status_code, answer.json()["jobid"]) == (201, jobid)

    return check


def unreadable(answer: requests.Response) -> None:
    """An answer that is no JSON, of the length that it promised."""
    assert (answer.status_code, len(answer.content)) == (201, int(answer.headers["Content-Length"]))
    with pytest.raises(ValueError, match="utf-8"):
        json.loads(answer.content)


def broken(_: requests.Response) -> NoReturn:
    """No answer at all."""
    pytest.fail("there was an answer")


@dataclass(frozen=True)
class Case:
    """A kind with some options, how the client sees it, and how many requests are served before."""

    kind: str
    seen: Callable[[requests.Response], None]
    options: dict[str, Any] = field(default_factory=dict)
    before: int = 0
    entries: int | None = None
    """In the journal; as many as it is carried out without it, and one at least."""

    def __str__(self) -> str:
        return " ".join([self.kind, *(f"{name}={value}" for name, value in self.options.items())])


CASES = [
    Case("status", refused(503)),
    Case("status", refused(429, **{"Retry-After": "7"}), {"status": 429, "retry_after": 7}),
    Case("quota", refused(429, **{"Retry-After": "3600"}), {"requests": 2, "seconds": 3600}, before=2),
    Case(
        "quota",
        refused(429, **{"Retry-After": "60"}),
        {"requests": 1, "seconds": 60, "simulated": True},
        before=1,
    ),
    Case("expired_token", refused(401, **{"WWW-Authenticate": "Bearer"})),
    Case("delay", named("00001"), {"seconds": 0.01}),
    Case("drip", named("00001"), {"bytes_per_second": 1 << 20}),
    Case("stall", broken, {"seconds": 0}),
    Case("reset", broken),
    Case("reset", broken, {"read_body": False}),
    Case("lost_answer", broken),
    Case("after_close", broken, {"seconds": 0}, entries=2),
    Case("truncate", broken),
    Case("truncate", broken, {"bytes": 0}),
    Case("corrupt", unreadable),
    Case("garble", broken),
    Case("duplicate", named("00002")),
]


def test_every_kind_is_tried_here() -> None:
    tried = {case.kind for case in CASES} | {"expired_url"}  # a job has no signed URL
    missing = sorted(set(BY_NAME) - tried)
    assert not missing, f"CASES has no case of the kind {missing}: say there what it makes of a request"
    assert tried <= set(BY_NAME), (
        f"KINDS of faults/kinds/__init__.py does not list {sorted(tried - set(BY_NAME))}"
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_is_what_its_kind_says_and_so_is_what_becomes_of_the_request(here: World, case: Case) -> None:
    here.fault(case.kind, **case.options)
    carried_out = BY_NAME[case.kind].carried_out
    for _ in range(case.before):
        assert here.submit().status_code == 201, "it is served"
    if case.seen is broken:
        with pytest.raises((*BROKEN, requests.ReadTimeout)):
            here.submit()
    else:
        case.seen(here.submit())
    assert here.jobs() == case.before + carried_out
    assert here.submit().status_code == 201, "the next one is served"
    assert here.jobs() == case.before + carried_out + 1
    mark = {"id": 1, "kind": case.kind}
    assert here.journal() == [None] * case.before + [mark] * (case.entries or max(1, carried_out)) + [None]
    (rule,) = here.ask("GET", "/_mock/faults").json()["faults"]
    assert (rule["seen"], rule["consumed"]) == (case.before + 2, 1)


# What is made of the kinds


def test_every_class_of_a_kind_is_registered() -> None:
    names = [f"{kinds.__name__}.{found.name}" for found in pkgutil.iter_modules(kinds.__path__)]
    classes = {
        value
        for module in map(importlib.import_module, names)
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert classes == set(KINDS), "KINDS in faults/kinds/__init__.py lists every kind"
    assert sorted(BY_NAME) == sorted(kind.kind for kind in KINDS), "no name stands for two kinds"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_kind_says_what_the_client_gets(kind: type[Fault]) -> None:
    assert not kind.effect().startswith(f"{kind.__name__}("), "its docstring is its row of the documents"
    assert kind.effect().endswith(".")
    assert all(meaning_of(option) for option in kind.options())


@pytest.mark.parametrize("name", options_by_name())
def test_an_option_has_one_type_whatever_the_kind(name: str) -> None:
    assert len({type_of(option) for _, option in options_by_name()[name]}) == 1, (
        "the command line has one of it"
    )


def test_an_option_of_a_kind_has_no_name_that_means_something_else_on_the_command_line() -> None:
    names = [option.name for option in faults_add.params]
    assert len(names) == len(set(names))
    assert set(options_by_name()) <= set(names)


# What only one of them does


def test_a_reset_is_a_reset() -> None:
    with over_a_socket() as here:
        here.fault("reset")
        with pytest.raises(requests.ConnectionError) as caught:
            here.submit()
    assert "ConnectionResetError" in repr(caught.value)


def test_a_stall_says_nothing_until_the_client_goes_and_lets_the_server_stop() -> None:
    with ExitStack() as left, ExitStack() as opened:
        here = opened.enter_context(over_a_socket())
        here.fault("stall", seconds=600, times=2)
        with pytest.raises(requests.ReadTimeout):
            here.session.post(f"{here.url}/jobs/", json=job_payload(), timeout=0.05)
        connection = left.enter_context(RawConnection(here.port))
        head = f"GET /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{here.port}\r\n"
        here.fault("stall", "jobs.list", seconds=600)
        authorization = f"Authorization: {here.session.headers['Authorization']!s}\r\n\r\n"
        connection.send((head + authorization).encode())
        opened.close()
        # Its request was stalled, or about to be: the server has stopped, and that ended it.
        assert connection.is_closed()


def test_a_drip_lets_every_byte_wait_its_time_and_sends_them_all() -> None:
    waits: list[float] = []

    class Patient:
        def hold_back(self, seconds: float) -> bool:
            waits.append(seconds)
            return True

    body = [b"a" * 25, b"b" * 10, b"c" * 3]
    answer = Answer("200 OK", [], body)
    exchange = Exchange(Patient(), {}, lambda: answer)  # type: ignore[arg-type]  # the only part that a drip uses
    drops = list(Drip(bytes_per_second=100).answer(answer, exchange).body)

    assert b"".join(drops) == b"".join(body)
    assert max(map(len, drops)) == 10
    assert waits == [len(drop) / 100 for drop in drops[:-1]]


def test_a_drip_begins_at_once_and_lets_the_server_stop() -> None:
    with ExitStack() as left, ExitStack() as opened:
        here = opened.enter_context(over_a_socket())
        here.fault("drip", "jobs.list", bytes_per_second=1)
        connection = left.enter_context(RawConnection(here.port))
        head = f"GET /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{here.port}\r\n"
        authorization = f"Authorization: {here.session.headers['Authorization']!s}\r\n\r\n"
        connection.send((head + authorization).encode())
        response = left.enter_context(connection.begin())
        assert (response.status, response.read(1)) == (200, b"{")
        opened.close()
        with pytest.raises(IncompleteRead):
            response.read()


def test_a_job_sent_twice_with_a_key_is_one_job(here: World) -> None:
    here.fault("duplicate")
    answer = here.submit(**{"Idempotency-Key": "once"})
    assert (answer.status_code, answer.json()["jobid"]) == (201, "00001")
    assert here.jobs() == 1
    assert here.journal() == [{"id": 1, "kind": "duplicate"}] * 2


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
def test_a_file_sent_twice_is_read_once_and_stored(here: World, chunked: bool) -> None:
    content = bytes(range(256)) * 5000
    url = here.upload_url(content)
    here.fault("duplicate", "objects.put")
    data = (content[start : start + 100_000] for start in range(0, len(content), 100_000))
    answer = here.session.put(url, data=data if chunked else content, timeout=PATIENCE_S)
    assert answer.status_code == 200
    assert here.files() == {"/proj/a.ma": md5_of(content)}
    assert here.journal("objects.put") == [{"id": 1, "kind": "duplicate"}] * 2


@pytest.mark.parametrize("kind", ["duplicate", "after_close"])
def test_a_body_too_large_to_be_kept_is_refused_and_nothing_is_done(
    here: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY", 10)
    here.fault(kind)
    answer = here.submit()
    assert answer.status_code == 413
    assert "at most 10 bytes" in answer.json()["message"]
    assert (here.jobs(), len(here.journal())) == (0, 1)


def test_what_is_carried_out_again_gets_no_other_fault(here: World) -> None:
    here.fault("duplicate")
    here.fault("status")
    assert here.submit().status_code == 201
    assert here.submit().status_code == 503
    assert here.jobs() == 2


def test_a_job_is_made_once_nobody_waits_for_the_answer_any_more() -> None:
    with over_a_socket() as here:
        here.fault("after_close", seconds=600)
        with pytest.raises(requests.ReadTimeout):
            here.session.post(f"{here.url}/jobs/", json=job_payload(), timeout=0.05)
        eventually(lambda: here.jobs() == 1)


def test_every_token_is_expired_until_another_one_is_fetched(here: World) -> None:
    here.fault("expired_token", times=None)
    answers = [here.submit() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert answers[0].json()["errors"][0]["path"] == "Authorization"
    assert here.ask("GET", "/api/v1/jobs").status_code == 200, "the rule is for jobs.create"
    here.renew()
    assert [here.submit().status_code for _ in range(2)] == [201, 201]
    (rule,) = here.ask("GET", "/_mock/faults").json()["faults"]
    assert (rule["seen"], rule["consumed"]) == (5, 3)


def test_every_signed_url_is_expired_until_another_one_is_asked_for(here: World) -> None:
    here.ask("POST", "/_mock/faults", {"fault": {"kind": "expired_url"}})
    content = b"a file"
    url = here.upload_url(content)
    assert [here.session.put(url, data=content).status_code for _ in range(2)] == [403, 403]
    assert here.submit().status_code == 201, "it is let in by a token"
    again = here.upload_url(content)
    assert here.session.put(again, data=content).status_code == 200
    assert here.files() == {"/proj/a.ma": md5_of(content)}


def test_an_output_can_be_dripped_and_asked_for_twice(here: World) -> None:
    url = output_url(here)
    right = here.session.get(url, timeout=PATIENCE_S).content
    here.fault("drip", "objects.get", bytes_per_second=1 << 30)
    here.fault("duplicate", "objects.get")
    assert [here.session.get(url, timeout=PATIENCE_S).content for _ in range(2)] == [right, right]


def output_url(here: World) -> str:
    """Where an output of a job lies."""
    here.submit()
    here.ask("POST", "/_mock/clock", {"until": "idle"})
    (task,) = here.ask("POST", "/jobs/00001/downloads", {"tids": None}).json()["downloads"]
    return str(task["files"][0]["url"])


def test_an_output_can_be_spoiled_and_cut(here: World) -> None:
    url = output_url(here)
    right = here.session.get(url, timeout=PATIENCE_S).content
    here.fault("corrupt", "objects.get", bytes=3)
    here.fault("truncate", "objects.get", bytes=10)
    spoiled = here.session.get(url, timeout=PATIENCE_S).content
    assert len(spoiled) == len(right)
    assert sum(one != other for one, other in zip(spoiled, right, strict=True)) == 3
    with pytest.raises(BROKEN):
        here.session.get(url, timeout=PATIENCE_S)


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS if kind.of_answer])
def test_a_fault_of_an_answer_begins_at_its_byte_and_a_shorter_answer_is_right(
    here: World, kind: str
) -> None:
    url = output_url(here)
    right = here.session.get(url, timeout=PATIENCE_S).content
    options = (
        {"seconds": 0.01} if kind == "delay" else {"bytes_per_second": 1 << 20} if kind == "drip" else {}
    )
    length = len(right)
    for place in (1, length // 2, length - 1, length, length + 1):
        here.fault(kind, "objects.get", from_byte=place, **options)
        got = received(here, url)
        assert got[:place] == right[:place]
        if place >= length or kind in ("delay", "drip"):
            assert got == right
        elif kind == "corrupt":
            assert (len(got), sum(one != other for one, other in zip(got, right, strict=True))) == (length, 1)
        elif kind == "garble":
            assert got != right
        else:
            assert place <= len(got) < length
    assert here.session.get(url, timeout=PATIENCE_S).content == right


def received(here: World, url: str) -> bytes:
    """As much of a content as comes."""
    got = b""
    try:
        with here.session.get(url, stream=True, timeout=PATIENCE_S) as answer:
            for block in answer.iter_content(1):
                got += block
    except BROKEN:
        pass
    return got


def test_a_head_has_no_body_to_break(here: World) -> None:
    url = output_url(here)
    here.fault("truncate", "objects.get", from_byte=1)
    assert here.session.head(url, timeout=PATIENCE_S).status_code == 200
    assert here.submit().status_code == 201


def test_an_upload_breaks_off_at_its_byte_and_a_shorter_one_does_not(here: World) -> None:
    content = bytes(range(256)) * 4
    for size, is_broken in ((1023, False), (1024, True)):
        url = here.upload_url(content[:size])
        here.fault("reset", "objects.put", read_body=False, from_byte=1024)
        if is_broken:
            with pytest.raises(BROKEN):
                here.session.put(url, data=content[:size], timeout=PATIENCE_S)
        else:
            assert here.session.put(url, data=content[:size], timeout=PATIENCE_S).status_code == 200
    assert list(here.files().values()) == [md5_of(content[:1023])]


def test_rules_of_a_file_are_there_from_the_start(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- match: {operation: jobs.create}\n  fault: {kind: status, status: 429, retry_after: 1}\n  times: 1\n"
        '- {"match": {"operation": "jobs.list"}, "fault": {"kind": "status"}, "times": 1}\n',
        encoding="utf-8",
    )
    with in_this_process(faults=rules) as here:
        assert here.ask("GET", "/api/v1/jobs").status_code == 503
        assert [here.submit().status_code for _ in range(2)] == [429, 201]


# The same over a socket and in process

FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "quota", "requests": 1, "seconds": 86400},
    {"kind": "drip", "bytes_per_second": 1 << 20},
    *({"kind": kind, "seconds": 0} for kind in ("stall", "after_close", "delay")),
    *({"kind": kind} for kind in ("reset", "lost_answer", "truncate", "corrupt", "garble", "duplicate")),
    *({"kind": kind} for kind in ("expired_token", "expired_url")),
]
DRAWN = st.fixed_dictionaries(
    {
        "match": st.sampled_from([{}, {"operation": "jobs.list"}, {"method": "get", "path": "/api/v1/.*"}]),
        "fault": st.sampled_from(FAULTS),
        "times": st.none() | st.integers(1, 3),
        "skip": st.integers(0, 2),
        "every": st.integers(1, 3),
        "probability": st.sampled_from([1, 0.5]),
        "seed": st.integers(0, 9),
        "from_byte": st.sampled_from([0, 0, 5, 1000]),
    }
)


def anew(here: World, method: str, path: str, **options: Any) -> requests.Response:
    """Ask over a connection of its own: what a fault leaves of one depends on when its end is seen."""
    headers = {**here.session.headers}
    return requests.request(method, f"{here.url}{path}", headers=headers, timeout=PATIENCE_S, **options)


def heard(here: World, path: str) -> tuple[Any, ...]:
    """What a client hears: a status and a body, or that the connection broke behind so many bytes."""
    got = b""
    try:
        with anew(here, "GET", path, stream=True) as answer:
            for block in answer.iter_content(1):
                got += block
            return (answer.status_code, got)
    except BROKEN:
        return ("broken", got)


def told(here: World, rules: list[dict[str, Any]]) -> tuple[Any, ...]:
    """What a client hears of a fake as new with these rules, and what the rules then say."""
    anew(here, "POST", "/_mock/reset", json={})
    ids = [anew(here, "POST", "/_mock/faults", json=rule).json()["id"] for rule in rules]
    answers = [heard(here, path) for path in ("/api/v1/jobs", "/api/v1/projects/", "/api/v1/jobs") * 2]
    counts = [
        (rule["seen"], rule["consumed"]) for rule in anew(here, "GET", "/_mock/faults").json()["faults"]
    ]
    numbers = {str(number): f"rule {place}" for place, number in enumerate(ids)}
    return (
        [
            (what, re.sub(rb"fault (\d+) was", lambda m: numbers[m[1].decode()].encode(), body))
            for what, body in answers
        ],
        counts,
    )


def schedules(count: int) -> list[list[dict[str, Any]]]:
    """So many lists of rules, always the same ones."""
    drawn: list[list[dict[str, Any]]] = []

    @settings(max_examples=count, derandomize=True, database=None, deadline=None, phases=(Phase.generate,))
    @given(rules=st.lists(DRAWN, min_size=1, max_size=3))
    def collect(rules: list[dict[str, Any]]) -> None:
        drawn.append(rules)

    collect()
    return drawn


def test_rules_do_the_same_over_a_socket_and_in_process() -> None:
    drawn = [[{"fault": fault}] for fault in FAULTS] + schedules(60)
    assert {fault["kind"] for fault in FAULTS} == set(BY_NAME)
    with over_a_socket() as here:
        over_it = [told(here, rules) for rules in drawn]
    with in_this_process() as here:  # which has all requests of the process
        in_it = [told(here, rules) for rules in drawn]
    assert [
        (rules, one, other) for rules, one, other in zip(drawn, over_it, in_it, strict=True) if one != other
    ] == []
    statuses = {what for answers, _ in in_it for what, _ in answers}
    assert {"broken", 200, 401, 429, 500} <= statuses
