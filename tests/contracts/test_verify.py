"""Replaying interactions: a right service passes them all, and each way of being wrong is noticed."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from conductor_contracts.interactions import CONTROL, KEYS, LENIENCE, load_interactions, parse_interactions
from conductor_contracts.verify import Outcome, VerificationError, verify
from conductor_mock.inprocess import URL, InProcess, in_process
from conductor_mock.settings import Settings
from contracts.lies import LIES, KnownLie, operation_of
from contracts.services import (
    Answer,
    Answering,
    Fake,
    Lie,
    Service,
    fake_in_process,
    refusal,
    small_catalog,
)

ANY_KEY = {"client_id": "a", "private_key": "b"}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_is_noticed_and_told_without_secrets(fake: Fake, lie: KnownLie) -> None:
    """By the interactions of one of the operations that ought to notice; the first fault ends the search."""
    for interaction in load_interactions():
        if interaction.operation in lie.noticed_by:
            report = fake.verify(lie.told(), interactions=[interaction])
            if not report.ok:
                break
    text = str(report)
    assert report.failed, text
    assert "BEGIN KEY" not in text
    assert fake.key["private_key"] not in text
    assert "signature=" not in text
    assert "Bearer ey" not in text


def answering(operation: str, change: Callable[[Answer], Answer]) -> Lie:
    """The fake, but for the answers of one operation."""

    def lie(request: requests.PreparedRequest, right: Answering) -> Answer:
        answer = right(request)
        return change(answer) if operation_of(request) == operation else answer

    return lie


def test_a_failure_says_which_step_what_was_expected_and_what_came(fake: Fake) -> None:
    lie = answering("jobs.create", lambda answer: answer.with_status(200))
    report = fake.verify(lie, only=["jobs.create"])
    text = str(report)
    assert "step 1, jobs.create: status: expected 201, got 200" in text
    assert text.endswith(report.summary)


def test_a_refusal_that_was_not_expected_is_quoted(fake: Fake) -> None:
    lie = answering("jobs.create", lambda _: refusal(400, "no addresses are wrong", "/notify/emails"))
    report = fake.verify(lie, only=["jobs.create"])
    assert "status: expected 201, got 400 (no addresses are wrong)" in str(report)


def test_a_wrong_field_is_named_by_its_place(fake: Fake) -> None:
    def without_memory(answer: Answer) -> Answer:
        first, *others = answer.body["data"]
        return answer.with_body({"data": [{**first, "memory": None}, *others]})

    only = ["instance_types.list: older clients send no filter"]
    report = fake.verify(answering("instance_types.list", without_memory), only=only)
    assert "contract: body /data/0/memory must be" in str(report)


def test_a_body_that_is_labelled_as_a_page_is_told(fake: Fake) -> None:
    lie = answering("projects.list", lambda answer: answer.with_header("Content-Type", "text/html"))
    report = fake.verify(lie, only=["projects.list: there is an active project"])
    assert "contract: body the body must be labelled application/json, is labelled text/html" in str(report)


def test_a_refusal_of_an_unknown_route_must_be_labelled_too(fake: Fake) -> None:
    def unlabelled(request: requests.PreparedRequest, right: Answering) -> Answer:
        answer = right(request)
        return answer.with_header("Content-Type", None) if answer.status == 404 else answer

    assert "must be labelled application/json, is labelled nothing" in str(
        fake.verify(unlabelled, only=["routes"])
    )


def test_a_service_that_gives_no_token_cannot_be_verified(fake: Fake) -> None:
    wrong = {**fake.key, "private_key": "another"}
    with pytest.raises(VerificationError, match="answered 401"):
        verify(URL, wrong, session=fake.service().session())


def test_only_chooses_operations_and_single_interactions(fake: Fake) -> None:
    report = fake.verify(only=["accounts.get"])
    assert {outcome.interaction.operation for outcome in report.outcomes} == {"accounts.get"}
    one = load_interactions()[0]
    report = fake.verify(only=[one.id])
    assert [outcome.interaction for outcome in report.outcomes] == [one]


def test_only_refuses_names_that_do_not_exist(fake: Fake) -> None:
    with pytest.raises(ValueError, match=r"'jobs\.destroy'"):
        fake.verify(only=["jobs.destroy"])
    with pytest.raises(TypeError, match="collection of names"):
        fake.verify(only="jobs.create")


def test_safe_only_leaves_nothing_behind(tmp_path: Path) -> None:
    with fake_in_process(tmp_path) as fresh:
        report = fresh.verify(safe_only=True)
        assert report.ok, str(report)
        assert any(outcome.skipped for outcome in report.outcomes)
        session = fresh.service().session()
        held = session.get(f"{URL}/_mock/files", params={"account": fresh.key["client_id"]}).json()
        jobs = session.get(f"{URL}/_mock/jobs", params={"account": fresh.key["client_id"]}).json()
        assert (held["files"], jobs["jobs"]) == ([], [])


def test_safe_interactions_are_safe_even_where_everything_is_accepted() -> None:
    """What is marked safe sends no job and no file that a careless service could take."""
    for interaction in load_interactions():
        if interaction.safe:
            for step in interaction.steps:
                assert step.operation != "objects.put", interaction.id
                works = isinstance(step.request.body, dict) and step.request.token not in ("none", "forged")
                assert not (step.operation == "jobs.create" and works), interaction.id
                assert step.operation != CONTROL, interaction.id
                assert step.request.method != "DELETE", interaction.id
                assert "kill" not in str(step.request.body) or not works, interaction.id


def test_outcomes_are_told_as_they_come(fake: Fake) -> None:
    told: list[Outcome] = []
    report = fake.verify(only=["routes"], on_outcome=told.append)
    assert tuple(told) == report.outcomes


def test_a_report_of_nothing_is_not_ok(fake: Fake) -> None:
    assert not fake.verify(interactions=[]).ok


def test_an_unknown_blank_is_a_fault_of_the_interaction(fake: Fake) -> None:
    text = """
operation: projects.list
interactions:
  - {name: a, source: s, safe: true, steps: [{request: {path: '/${nowhere}'}, expect: {status: 200}}]}
"""
    report = fake.verify(interactions=parse_interactions(text, "t"))
    assert "${nowhere} is not known here" in report.failed[0].faults[0]


def test_a_capture_that_finds_nothing_is_a_fault(fake: Fake) -> None:
    text = """
operation: projects.list
interactions:
  - {name: a, source: s, safe: true, steps: [{expect: {status: 200}, capture: {x: /data/7/name}}]}
"""
    report = fake.verify(interactions=parse_interactions(text, "t"))
    assert "the answer has nothing at /data/7/name" in report.failed[0].faults[0]


def test_without_a_control_api_what_requires_one_is_skipped(fake: Fake) -> None:
    def without_control(request: requests.PreparedRequest, right: Answering) -> Answer:
        return refusal(404, "no such route") if "/_mock/" in (request.url or "") else right(request)

    report = fake.verify(without_control)
    assert report.ok, str(report)
    needy = {one.id for one in load_interactions() if one.requires == CONTROL}
    assert {outcome.interaction.id for outcome in report.outcomes if outcome.skipped} == needy
    assert needy


def test_a_control_api_is_asked_for_only_where_it_is_required(fake: Fake) -> None:
    service = fake.service()
    verify(URL, fake.key, session=service.session(), only=["projects.list"])
    assert not [request for request in service.seen if "/_mock/" in (request.url or "")]


def played(steps: str, fake: Fake, more: str = "", service: Service | None = None) -> tuple[str, ...]:
    """The faults of an interaction of ``projects.list`` with these steps."""
    text = f"""
operation: projects.list
interactions:
  - name: a
    source: s
    safe: false
    {more}
    steps: {steps}
"""
    session = (service or fake.service()).session()
    chosen = parse_interactions(text, "t")
    (outcome,) = verify(URL, fake.key, session=session, interactions=chosen, own_account=False).outcomes
    return outcome.faults


def test_the_cleanup_is_taken_after_a_fault_too(fake: Fake) -> None:
    more = """requires: control
    cleanup:
      - operation: control
        request: {method: GET, path: /_mock/files}
        expect: {status: 200}
"""
    service = fake.service()
    (fault,) = played("[{expect: {status: 401}}]", fake, more, service)
    assert fault.startswith("step 1, projects.list: status: expected 401, got 200")
    assert str(service.seen[-1].url).endswith("/_mock/files")


def test_a_fault_of_the_cleanup_is_told(fake: Fake) -> None:
    (fault,) = played("[{expect: {status: 200}}]", fake, "cleanup: [{expect: {status: 401}}]")
    assert fault.startswith("cleanup step 1, projects.list: status: expected 401, got 200")


def test_a_header_can_be_captured_and_a_missing_one_is_a_fault(fake: Fake) -> None:
    wrong_method = "request: {method: DELETE}"
    first = f"{wrong_method}, expect: {{status: 405}}, capture"
    again = f"{wrong_method}, expect: {{status: 405, headers: {{Allow: '${{x}}'}}}}"
    assert played(f"[{{{first}: {{x: header Allow}}}}, {{{again}}}]", fake) == ()
    (fault,) = played(f"[{{{first}: {{x: header Nothing}}}}]", fake)
    assert "the answer has no header Nothing" in fault


def test_what_a_step_captures_can_be_named_by_what_it_expects(fake: Fake) -> None:
    capture = "capture: {name: /data/0/name}"
    assert (
        played(
            f"[{{expect: {{status: 200, body: {{data: {{$contains: {{name: '${{name}}'}}}}}}}}, {capture}}}]",
            fake,
        )
        == ()
    )
    (fault,) = played(
        f"[{{expect: {{status: 200, body: {{data: [{{name: 'not ${{name}}'}}]}}}}, {capture}}}]", fake
    )
    assert "expected a list of 1 item" in fault


def test_a_captured_value_that_makes_no_matcher_is_a_fault_and_no_traceback(fake: Fake) -> None:
    capture = "capture: {name: /data/0/name}"
    (fault,) = played(
        f"[{{expect: {{status: 200, body: {{data: {{$length: '${{name}}'}}}}}}, {capture}}}]", fake
    )
    assert "$length takes a number, or min and max, got " in fault


def test_a_body_of_another_md5_is_a_fault(fake: Fake) -> None:
    (fault,) = played("[{expect: {status: 200, md5: kAFQmDzST7DWlj99KOF/cg==}}]", fake)
    assert "body: expected md5 kAFQmDzST7DWlj99KOF/cg==, got " in fault


def test_a_form_is_sent_as_a_form(fake: Fake) -> None:
    service = fake.service()
    played("[{request: {method: PUT, form: {a: 'b c', d: 7}}, expect: {status: 405}}]", fake, service=service)
    assert service.seen[-1].body == b"a=b+c&d=7"
    assert service.seen[-1].headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_a_page_is_looked_into_only_where_the_contract_names_pages(fake: Fake) -> None:
    page = answering("projects.list", lambda answer: Answer(200, {"Content-Type": "text/html"}, b"<p>"))
    sign_in = "operation: auth.token, request: {query: {redirect_uri: 'http://localhost:1/', scope: user}}"
    assert played(f"[{{{sign_in}, expect: {{status: 200}}}}]", fake) == ()
    (label, fault) = played("[{expect: {status: 200}}]", fake, service=fake.service(page))
    assert "must be labelled application/json" in label
    assert "contract: body the body must be an object" in fault


class _Hangup(BaseHTTPRequestHandler):
    """Gives a token once and then closes every connection without an answer."""

    def do_GET(self) -> None:
        if not self.path.startswith("/api/oauth_jwt"):
            self.close_connection = True
            return
        token = json.dumps({"access_token": "e30.e30.e30", "expires_in": 60}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(token)))
        self.end_headers()
        self.wfile.write(token)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hangup_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hangup) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_server_that_hangs_up_fails_the_interaction(hangup_url: str) -> None:
    report = verify(hangup_url, ANY_KEY, only=["projects.list: there is an active project"])
    assert report.failed[0].faults == ("step 1, projects.list: no answer (ConnectionError)",)


def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    with requests.Session() as session, pytest.raises(VerificationError, match="gave no token"):
        verify("http://127.0.0.1:1", ANY_KEY, session=session)


def test_a_body_where_none_was_expected_is_a_fault(fake: Fake) -> None:
    text = """
operation: projects.list
interactions:
  - {name: a, source: s, safe: true, steps: [{expect: {status: 200, empty: true}}]}
"""
    report = fake.verify(interactions=parse_interactions(text, "t"))
    assert "body: expected none, got " in report.failed[0].faults[0]


def test_a_status_that_ends_an_interaction_ends_it_well(fake: Fake) -> None:
    text = """
operation: projects.list
interactions:
  - name: a
    source: s
    safe: true
    steps:
      - {expect: {status: 200}, ends_on: 200, capture: {x: /nowhere}}
      - {expect: {status: 401}}
"""
    report = fake.verify(interactions=parse_interactions(text, "t"))
    assert report.ok, str(report)


# An account of its own


@dataclass(frozen=True)
class Seen:
    """All that a server has of every account but those that are empty, and the options of the key's."""

    options: Any
    jobs: Any
    files: Any
    clock: Any

    @classmethod
    def of(cls, url: str) -> Seen:
        """Ask for it."""
        ask = {name: requests.get(f"{url}/_mock/{name}", timeout=60).json() for name in ("options", "clock")}
        every = {"account": "*"}
        held = {
            name: requests.get(f"{url}/_mock/{name}", params=every, timeout=60).json()[name]
            for name in ("jobs", "files")
        }
        return cls(ask["options"], held["jobs"], held["files"], ask["clock"]["speed"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(Settings(catalog=small_catalog(tmp_path), part_size=12345, speed=7)) as started:
        yield started


def key_of(fake: InProcess) -> dict[str, str]:
    return dict(json.loads(fake.environment()["CONDUCTOR_API_KEY"]))


CHANGING = [one.id for one in load_interactions() if one.operation in ("objects.put_part", "uploads.finish")]


def test_a_verification_leaves_the_server_as_it_was(server: InProcess) -> None:
    before = Seen.of(server.url)
    report = verify(server.url, key_of(server), only=CHANGING)
    assert report.ok, str(report)
    assert not any(outcome.skipped for outcome in report.outcomes)
    assert Seen.of(server.url) == before


def test_two_verifications_at_once_do_not_see_each_other(server: InProcess) -> None:
    before = Seen.of(server.url)
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: verify(server.url, key_of(server), only=CHANGING), range(4)))
    assert all(report.ok for report in reports), "\n".join(map(str, reports))
    assert Seen.of(server.url) == before


@pytest.mark.parametrize("at", range(0, len(CHANGING), 3))
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, SystemExit])
def test_a_verification_that_is_ended_early_leaves_nothing(
    server: InProcess, at: int, error: type[BaseException]
) -> None:
    told: list[Outcome] = []

    def end(outcome: Outcome) -> None:
        told.append(outcome)
        if len(told) > at:
            raise error

    before = Seen.of(server.url)
    with pytest.raises(error):
        verify(server.url, key_of(server), only=CHANGING, on_outcome=end)
    assert Seen.of(server.url) == before


def test_an_account_that_cannot_be_emptied_is_told(fake: Fake) -> None:
    def unwilling(request: requests.PreparedRequest, right: Answering) -> Answer:
        return refusal(403, "not today") if "/_mock/reset" in (request.url or "") else right(request)

    with pytest.raises(VerificationError, match=r"POST /_mock/reset was answered 403 \(not today\)"):
        fake.verify(unwilling, only=["objects.put"], own_account=True)


OPTIONAL = {one.operation or "routes" for one in load_interactions() if one.requires in (KEYS, LENIENCE)}
"""Operations that a server answers otherwise where it is strict, or has no keys; both at once are tried with all."""


@pytest.mark.parametrize(
    ("settings", "skipped", "only"),
    [
        (Settings(strict=True), {LENIENCE}, OPTIONAL),
        (Settings(honour_keys=False), {KEYS}, OPTIONAL),
        (Settings(strict=True, honour_keys=False), {LENIENCE, KEYS}, None),
        (Settings(provider="s3", part_size=7, fleet=1, seed=7, speed=100_000), set(), None),
    ],
    ids=["strict", "without keys", "strict without keys", "other options, fast"],
)
def test_a_server_passes_its_own_contract_whatever_its_options(
    tmp_path: Path, settings: Settings, skipped: set[str], only: set[str] | None
) -> None:
    with in_process(replace(settings, catalog=small_catalog(tmp_path))) as fake:
        report = verify(fake.url, key_of(fake), only=only)
    assert report.ok, str(report)
    assert {one.interaction.requires for one in report.outcomes if one.skipped} == skipped
    assert all(bool(one.skipped) == (one.interaction.requires in skipped) for one in report.outcomes)


def _part(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


DEEP = b"[" * 100_000
GOOD_CLAIMS = _part({"account": "a"})
RUBBISH = [
    DEEP,
    b"\xff",
    b"null",
    b'{"access_token": 5}',
    *(
        json.dumps({"access_token": token}).encode()
        for token in (
            "",
            GOOD_CLAIMS,
            f"a.{GOOD_CLAIMS}",
            f"a.{GOOD_CLAIMS}.b.c",
            f"a.{GOOD_CLAIMS}.\N{SNOWMAN}",
            f"a.{_part(DEEP)}.b",
            f"a.{_part([1])}.b",
        )
    ),
]


@pytest.mark.parametrize("body", RUBBISH, ids=range(len(RUBBISH)))
def test_a_token_that_is_none_ends_a_verification_with_a_sentence(body: bytes) -> None:
    class Session(requests.Session):
        def request(self, *_: Any, **__: Any) -> requests.Response:
            answer = requests.Response()
            answer.status_code, answer._content = 200, body
            return answer

    with pytest.raises(VerificationError, match="token"):
        verify("http://conductor.test", ANY_KEY, session=Session())
