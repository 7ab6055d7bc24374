"""Replaying interactions: a right service passes them all, and each way of being wrong is noticed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from conductor_contracts.interactions import CONTROL, load_interactions, parse_interactions
from conductor_contracts.verify import Outcome, VerificationError, verify
from contracts.tiny_farm import FARM_FLAWS as FLAWS
from contracts.tiny_farm import TinyFarm as TinyService
from contracts.tiny_service import BASE_URL, KEY, Answer, refusal


def test_a_service_that_keeps_the_contract_passes_every_interaction() -> None:
    report = verify(BASE_URL, KEY, session=TinyService().session())
    assert not report.failed, str(report)
    assert report.ok
    assert len(report.outcomes) == len(load_interactions())


def test_one_account_can_be_verified_again() -> None:
    session = TinyService().session()
    verify(BASE_URL, KEY, session=session)
    again = verify(BASE_URL, KEY, session=session)
    assert again.ok, str(again)


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_noticed_and_told_without_secrets(flaw: str) -> None:
    report = verify(BASE_URL, KEY, session=TinyService(flaw).session())
    assert not report.ok
    assert report.failed
    text = str(report)
    assert "BEGIN KEY" not in text
    assert "signature=" not in text
    assert "Bearer ey" not in text


def test_a_failure_says_which_step_what_was_expected_and_what_came() -> None:
    report = verify(
        BASE_URL, KEY, session=TinyService("jobs.create answers 200").session(), only=["jobs.create"]
    )
    text = str(report)
    assert "step 1, jobs.create: status: expected 201, got 200" in text
    assert text.endswith(report.summary)


def test_a_refusal_that_was_not_expected_is_quoted() -> None:
    report = verify(
        BASE_URL, KEY, session=TinyService("null addresses are refused").session(), only=["jobs.create"]
    )
    assert "status: expected 201, got 400 (the body is wrong)" in str(report)


def test_a_wrong_field_is_named_by_its_place() -> None:
    report = verify(
        BASE_URL, KEY, session=TinyService("memory is null").session(), only=["instance_types.list"]
    )
    assert "contract: body /data/0/memory must be" in str(report)


def test_a_service_that_gives_no_token_cannot_be_verified() -> None:
    wrong = {**KEY, "private_key": "another"}
    with pytest.raises(VerificationError, match="answered 401"):
        verify(BASE_URL, wrong, session=TinyService().session())


def test_only_chooses_operations_and_single_interactions() -> None:
    service = TinyService()
    report = verify(BASE_URL, KEY, session=service.session(), only=["accounts.get"])
    assert {outcome.interaction.operation for outcome in report.outcomes} == {"accounts.get"}
    one = load_interactions()[0]
    report = verify(BASE_URL, KEY, session=service.session(), only=[one.id])
    assert [outcome.interaction for outcome in report.outcomes] == [one]


def test_only_refuses_names_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match=r"'jobs\.destroy'"):
        verify(BASE_URL, KEY, session=TinyService().session(), only=["jobs.destroy"])
    with pytest.raises(TypeError, match="collection of names"):
        verify(BASE_URL, KEY, session=TinyService().session(), only="jobs.create")


def test_safe_only_leaves_nothing_behind() -> None:
    service = TinyService()
    report = verify(BASE_URL, KEY, session=service.session(), safe_only=True)
    assert report.ok, str(report)
    assert service.jobs == []
    assert service.held == set()
    assert any(outcome.skipped for outcome in report.outcomes)


def test_safe_interactions_are_safe_even_where_everything_is_accepted() -> None:
    """What is marked safe sends no job and no file that a careless service could take."""
    for interaction in load_interactions():
        if interaction.safe:
            for step in interaction.steps:
                assert step.operation != "objects.put", interaction.id
                works = isinstance(step.request.body, dict) and step.request.token not in ("none", "forged")
                assert not (step.operation == "jobs.create" and works), interaction.id
                assert step.operation != CONTROL, interaction.id


def test_outcomes_are_told_as_they_come() -> None:
    told: list[Outcome] = []
    report = verify(BASE_URL, KEY, session=TinyService().session(), only=["routes"], on_outcome=told.append)
    assert tuple(told) == report.outcomes


def test_a_report_of_nothing_is_not_ok() -> None:
    assert not verify(BASE_URL, KEY, session=TinyService().session(), interactions=[]).ok


def test_an_unknown_blank_is_a_fault_of_the_interaction() -> None:
    text = """
operation: projects.list
interactions:
  - {name: a, source: s, safe: true, steps: [{request: {path: '/${nowhere}'}, expect: {status: 200}}]}
"""
    report = verify(
        BASE_URL, KEY, session=TinyService().session(), interactions=parse_interactions(text, "t")
    )
    assert "${nowhere} is not known here" in report.failed[0].faults[0]


def test_a_capture_that_finds_nothing_is_a_fault() -> None:
    text = """
operation: projects.list
interactions:
  - {name: a, source: s, safe: true, steps: [{expect: {status: 200}, capture: {x: /data/7/name}}]}
"""
    report = verify(
        BASE_URL, KEY, session=TinyService().session(), interactions=parse_interactions(text, "t")
    )
    assert "the answer has nothing at /data/7/name" in report.failed[0].faults[0]


def test_without_a_control_api_what_requires_one_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TinyService, "_control", lambda *_: refusal(404, "no such route"))
    report = verify(BASE_URL, KEY, session=TinyService().session())
    assert report.ok, str(report)
    needy = {one.id for one in load_interactions() if one.requires}
    assert {outcome.interaction.id for outcome in report.outcomes if outcome.skipped} == needy
    assert needy


def test_a_control_api_is_asked_for_only_where_it_is_required() -> None:
    service = TinyService()
    verify(BASE_URL, KEY, session=service.session(), only=["projects.list"])
    assert not [request for request in service.seen if "/_mock/" in (request.url or "")]


def played(steps: str, service: TinyService, more: str = "") -> tuple[str, ...]:
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
    (outcome,) = verify(
        BASE_URL, KEY, session=service.session(), interactions=parse_interactions(text, "t")
    ).outcomes
    return outcome.faults


def test_the_cleanup_is_taken_after_a_fault_too() -> None:
    service = TinyService()
    more = """requires: control
    cleanup:
      - operation: control
        request: {method: POST, path: /_mock/options, body: {part_size: 5}}
        expect: {status: 200}
"""
    (fault,) = played("[{expect: {status: 401}}]", service, more)
    assert fault.startswith("step 1, projects.list: status: expected 401, got 200")
    assert service.options["part_size"] == 5


def test_a_fault_of_the_cleanup_is_told() -> None:
    (fault,) = played("[{expect: {status: 200}}]", TinyService(), "cleanup: [{expect: {status: 401}}]")
    assert fault.startswith("cleanup step 1, projects.list: status: expected 401, got 200")


def test_a_header_can_be_captured_and_a_missing_one_is_a_fault() -> None:
    wrong_method = "request: {method: DELETE}"
    first = f"{wrong_method}, expect: {{status: 405}}, capture"
    again = f"{wrong_method}, expect: {{status: 405, headers: {{Allow: '${{x}}'}}}}"
    assert played(f"[{{{first}: {{x: header Allow}}}}, {{{again}}}]", TinyService()) == ()
    (fault,) = played(f"[{{{first}: {{x: header Nothing}}}}]", TinyService())
    assert "the answer has no header Nothing" in fault


def test_a_body_of_another_md5_is_a_fault() -> None:
    (fault,) = played("[{expect: {status: 200, md5: kAFQmDzST7DWlj99KOF/cg==}}]", TinyService())
    assert "body: expected md5 kAFQmDzST7DWlj99KOF/cg==, got " in fault


def test_a_form_is_sent_as_a_form() -> None:
    service = TinyService()
    played("[{request: {method: PUT, form: {a: 'b c', d: 7}}, expect: {status: 405}}]", service)
    assert service.seen[-1].body == b"a=b+c&d=7"
    assert service.seen[-1].headers["Content-Type"] == "application/x-www-form-urlencoded"


class Pages(TinyService):
    """Answers a page where projects are wanted."""

    def _projects_list(self, *_: object) -> Answer:
        return Answer(200, b"<p>", {"Content-Type": "text/html"})


def test_a_page_is_looked_into_only_where_the_contract_names_pages() -> None:
    sign_in = "operation: auth.token, request: {query: {redirect_uri: 'http://localhost:1/', scope: user}}"
    alone = f"{{{sign_in}, expect: {{status: 200}}}}"
    assert played(f"[{alone}]", Pages()) == ()
    (fault,) = played("[{expect: {status: 200}}]", Pages())
    assert "contract: body must be an object" in fault or "contract: body the body must be" in fault


class _Hangup(BaseHTTPRequestHandler):
    """Gives a token once and then closes every connection without an answer."""

    def do_GET(self) -> None:
        if not self.path.startswith("/api/oauth_jwt"):
            self.close_connection = True
            return
        token = TinyService().session().get(f"{BASE_URL}{self.path}").content
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
    report = verify(hangup_url, KEY, only=["projects.list: there is an active project"])
    assert report.failed[0].faults == ("step 1, projects.list: no answer (ConnectionError)",)


def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    with requests.Session() as session, pytest.raises(VerificationError, match="gave no token"):
        verify("http://127.0.0.1:1", KEY, session=session)


def test_a_body_where_none_was_expected_is_a_fault() -> None:
    text = """
operation: projects.list
interactions:
  - {name: a, source: s, safe: true, steps: [{expect: {status: 200, empty: true}}]}
"""
    report = verify(
        BASE_URL, KEY, session=TinyService().session(), interactions=parse_interactions(text, "t")
    )
    assert "body: expected none, got " in report.failed[0].faults[0]


def test_a_status_that_ends_an_interaction_ends_it_well() -> None:
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
    report = verify(
        BASE_URL, KEY, session=TinyService().session(), interactions=parse_interactions(text, "t")
    )
    assert report.ok, str(report)
