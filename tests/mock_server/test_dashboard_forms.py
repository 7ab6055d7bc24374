"""What the forms of the pages do, and who may send them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from conductor_mock.api.doors import FORM_COOKIE
from conductor_mock.dashboard.acting import FORCED_LABELS, LABELS
from conductor_mock.dashboard.faults import MOST_TEXT
from conductor_mock.farm.actions import ACTIONS, possible, possible_on_task
from conductor_mock.farm.ids import account_id
from conductor_mock.farm.statuses import FORCED, Action
from conductor_mock.faults.kinds import KINDS
from support.server import ORIGIN, ApiCaller, Fake, running


@dataclass
class Form:
    """A form of a page, as a browser has it."""

    action: str
    fields: dict[str, str]
    label: str


@dataclass
class Browser:
    """Somebody who looks at the pages of an account, and presses buttons."""

    fake: Fake
    caller: ApiCaller
    client: FlaskClient

    def look(self, path: str, **query: str) -> str:
        page = self.client.get(
            path,
            base_url=ORIGIN,
            query_string={"account": self.caller.client_id, **query},
            headers={"Accept": "text/html"},
        )
        assert page.status_code == 200, page.text
        return page.text

    def send(self, form: Form, headers: Mapping[str, str] | None = None, /, **fields: Any) -> TestResponse:
        origin = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        return self.client.post(
            form.action, base_url=ORIGIN, data={**form.fields, **fields}, headers=headers or origin
        )

    def press(self, path: str, label: str, **fields: Any) -> TestResponse:
        (form,) = (form for form in forms(self.look(path)) if form.label == label)
        return self.send(form, **fields)

    def statuses(self) -> list[str]:
        """The statuses of the tasks of the first job."""
        with self.fake.service.accounts.open(account_id(self.caller.client_id)) as account:
            return [str(task.status) for task in account.state.jobs[1].tasks]


def forms(page: str) -> Iterator[Form]:
    for action, inside in re.findall(
        r'<form method="post"[^>]* action="([^"]*)">(.*?)</form>', page, re.DOTALL
    ):
        fields = re.findall(r'name="(\w+)"[^>]* value="([^"]*)"', inside)
        (label,) = re.findall(r"<button[^>]*>([^<]*)</button>", inside)
        yield Form(
            html.unescape(action),
            {name: html.unescape(value) for name, value in fields},
            html.unescape(label),
        )


def tasks(count: int) -> list[dict[str, str]]:
    return [{"command": f"render -f {frame}", "frames": str(frame)} for frame in range(1, count + 1)]


@pytest.fixture
def browser(fake: Fake) -> Browser:
    """Somebody who looks at a job of four tasks, of which two run."""
    caller = fake.newcomer()
    caller.submit(tasks_data=tasks(4), max_instances=2)
    caller.post("/_mock/clock", {"advance": 70}, query={"account": caller.client_id})
    return Browser(fake, caller, fake.app.test_client())


def test_a_job_is_held_released_killed_and_retried_by_its_buttons(browser: Browser) -> None:
    assert browser.statuses() == ["running", "running", "pending", "pending"]
    answer = browser.press("/job/1", "Hold")
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/job/00001")
    assert browser.statuses() == ["running", "running", "holding", "holding"]
    browser.press("/job/1", "Unhold")
    assert browser.statuses() == ["running", "running", "pending", "pending"]
    browser.press("/job/1", "Kill")
    assert browser.statuses() == ["killed"] * 4
    browser.press("/job/1", "Retry")
    assert browser.statuses() == ["pending"] * 4


def test_scouts_are_approved_by_a_button(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(tasks_data=tasks(3), scout_frames="1")
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
    browser = Browser(fake, caller, fake.app.test_client())

    assert browser.statuses() == ["success", "holding", "holding"]
    browser.press("/job/1", "Approve scouts")
    assert browser.statuses() == ["success", "pending", "pending"]


def test_a_job_gets_another_priority_and_machine_by_its_form(browser: Browser) -> None:
    answer = browser.press("/job/1", "Change", priority="9", instance_type="n1-standard-16")
    assert answer.status_code == 303
    (record,) = browser.caller.jobs()
    assert record["priority"] == 9
    with browser.fake.service.accounts.open(account_id(browser.caller.client_id)) as account:
        assert account.state.jobs[1].machine.name == "n1-standard-16"

    for fields in (
        {"priority": "high"},
        {"priority": "1.5"},
        {"priority": "9" * 30},
        {"priority": "", "instance_type": ""},
        {"instance_type": "no such machine"},
    ):
        refused = browser.press("/job/1", "Change", **fields)
        assert (refused.status_code, refused.mimetype) == (400, "text/html"), fields


def test_a_task_is_failed_and_retried_by_its_buttons(browser: Browser) -> None:
    browser.press("/jobs/1/0", "Fail this frame")
    assert browser.statuses()[0] == "failed"
    browser.press("/jobs/1/0", "Retry")
    assert browser.statuses()[0] == "pending"


def test_every_action_and_every_end_has_a_label_and_is_offered_where_it_does_something(
    browser: Browser,
) -> None:
    assert set(LABELS) == set(Action) == set(ACTIONS)
    assert set(FORCED_LABELS) == set(FORCED)
    with browser.fake.service.accounts.open(account_id(browser.caller.client_id)) as account:
        job = account.state.jobs[1]
        of_job = {LABELS[action][0] for action in possible(job)}
        of_task = {LABELS[action][0] for action in possible_on_task(job, job.tasks[0])}

    assert {form.label for form in forms(browser.look("/job/1"))} == of_job | {"Change"}
    assert {form.label for form in forms(browser.look("/jobs/1/0"))} == of_task | set(FORCED_LABELS.values())


def test_what_a_job_does_not_allow_any_more_is_refused_on_a_page(browser: Browser) -> None:
    (form,) = (form for form in forms(browser.look("/job/1")) if form.label == "Kill")
    assert browser.send(form).status_code == 303
    again = browser.send(form)
    assert (again.status_code, again.mimetype) == (409, "text/html")
    assert "kill needs a job that is" in html.unescape(again.text)
    odd = browser.send(form, action="explode")
    assert odd.status_code == 400
    assert "action is none of" in html.unescape(odd.text)


def test_the_clock_is_moved_by_its_buttons(browser: Browser) -> None:
    def now_and_speed() -> tuple[str, float]:
        clock = browser.caller.get("/_mock/clock", query={"account": browser.caller.client_id}).json()
        return clock["now"], clock["speed"]

    assert now_and_speed() == ("2026-01-01T00:01:10Z", 0)
    browser.press("/clock", "+ 1 minute")
    assert now_and_speed() == ("2026-01-01T00:02:10Z", 0)
    browser.press("/clock", "Jump", advance="0.5")
    browser.press("/clock", "Jump", advance="0.5")
    assert now_and_speed() == ("2026-01-01T00:02:11Z", 0)
    browser.press("/clock", "60x")
    assert now_and_speed()[1] == 60
    browser.press("/clock", "Set", speed="2.5")
    assert now_and_speed()[1] == 2.5
    browser.press("/clock", "Pause")
    browser.press("/clock", "Until idle")
    assert browser.statuses() == ["success"] * 4
    for fields in ({"advance": "-1"}, {"advance": "soon"}, {"advance": "9" * 17}, {"advance": ""}):
        assert browser.press("/clock", "Jump", **fields).status_code == 400, fields


def test_a_fault_of_every_kind_is_added_by_its_form_and_met_by_the_next_request(browser: Browser) -> None:
    for kind in KINDS:
        (form,) = (
            one for one in forms(browser.look("/faults", kind=kind.kind)) if one.label == "Add the fault"
        )
        assert set(form.fields) <= {"proof", "kind"}
        answer = browser.send(form, operation="projects.list", times="1")
        assert answer.status_code == 303, kind
    query = {"account": browser.caller.client_id}
    rules = browser.caller.get("/_mock/faults", query=query).json()["faults"]
    assert [rule["fault"]["kind"] for rule in rules] == [kind.kind for kind in KINDS]
    assert rules[0]["match"] == {"operation": "projects.list"}

    assert browser.caller.get("/api/v1/projects/").status == 503
    used = re.findall(r'data-label="Used">(\d+)', browser.look("/faults"))
    assert used == ["1"] + ["0"] * (len(KINDS) - 1)
    (clear, *_) = (one for one in forms(browser.look("/faults")) if one.label == "Delete all")
    browser.send(clear)
    assert browser.caller.get("/api/v1/projects/").status == 200


def test_the_options_of_a_fault_are_those_of_its_form(browser: Browser) -> None:
    page = browser.look("/faults", kind="quota")
    (form,) = (one for one in forms(page) if one.label == "Add the fault")
    browser.send(form, requests="3", seconds="2.5", skip="1")
    (rule,) = browser.caller.get("/_mock/faults", query={"account": browser.caller.client_id}).json()[
        "faults"
    ]
    assert rule["fault"] == {"kind": "quota", "requests": 3, "seconds": 2.5, "simulated": False}
    assert (rule["skip"], rule["times"]) == (1, None)
    for fields in ({"requests": "many"}, {"kind": "gremlin"}, {"operation": "jobs.explode"}, {"times": "0"}):
        refused = browser.send(form, **fields)
        assert (refused.status_code, refused.mimetype) == (400, "text/html"), fields


def test_an_outcome_is_added_by_its_form_and_decides_how_tasks_go(browser: Browser) -> None:
    answer = browser.press(
        "/faults", "Add the outcome", frames="3", outcome="failed", duration="5", exit_code="7"
    )
    assert "fits=1" in answer.headers["Location"]
    assert "The new rule fits 1 task of" in browser.look("/faults", fits="1")
    browser.press("/clock", "Until idle")
    assert browser.statuses() == ["success", "success", "failed", "success"]
    browser.press("/faults", "Add the outcome", jid="1", outcome="preempted, success")
    listed = browser.caller.get("/_mock/outcomes", query={"account": browser.caller.client_id}).json()[
        "rules"
    ]
    assert listed[0] == {"match": {"jid": "1"}, "outcome": ["preempted", "success"]}
    for fields in ({"outcome": "magic"}, {"frames": "1-"}, {"duration": "-1"}, {"exit_code": "0"}):
        assert browser.press("/faults", "Add the outcome", **fields).status_code == 400, fields
    (clear,) = (one for one in forms(browser.look("/faults")) if one.label == "Delete all")
    browser.send(clear)
    assert not browser.caller.get("/_mock/outcomes", query={"account": browser.caller.client_id}).json()[
        "rules"
    ]


def shown_rules(page: str) -> tuple[list[str], list[str]]:
    """What a page shows of the two lists: the seconds of each fault, and those of each outcome."""
    faults = re.findall(r"<strong>delay</strong> <span[^>]*>seconds ([0-9.]+)", page)
    return faults, re.findall(r'data-label="Takes">(\d+) s<', page)


def test_a_hundred_rules_are_a_page_and_each_list_is_turned_alone(browser: Browser) -> None:
    query = {"account": browser.caller.client_id}
    for seconds in range(1, 104):
        fault = {"match": {"path": "/nowhere"}, "fault": {"kind": "delay", "seconds": seconds / 10}}
        assert browser.caller.post("/_mock/faults", fault, query=query).status in (200, 201)
    rules = [{"match": {"jid": "9"}, "duration": seconds} for seconds in range(1, 203)]
    assert browser.caller.post("/_mock/outcomes", rules, query=query).status in (200, 201)

    page = browser.look("/faults", kind="quota")
    faults, outcomes = shown_rules(page)
    assert (len(faults), len(outcomes)) == (100, 100)
    assert "1 to 100 of 103" in page
    assert "1 to 100 of 202" in page
    following = re.findall(r'href="([^"]+)" rel="next"', page)
    assert len(following) == 2
    turned = browser.client.get(html.unescape(following[1]), base_url=ORIGIN).text
    assert shown_rules(turned) == (faults, [str(seconds) for seconds in range(101, 201)])
    assert "<option selected>quota</option>" in turned
    both = browser.client.get(
        html.unescape(re.findall(r'href="([^"]+)" rel="next"', turned)[0]), base_url=ORIGIN
    ).text
    assert shown_rules(both) == (["10.1", "10.2", "10.3"], [str(seconds) for seconds in range(101, 201)])


def test_a_rule_says_every_condition_that_it_has_and_no_text_without_end(browser: Browser) -> None:
    query = {"account": browser.caller.client_id}
    rule = {
        "match": {"body": {"pointer": "/job_title", "value": "x" * 5000}},
        "fault": {"kind": "status", "status": 503},
        "every": 3,
        "probability": 0.5,
        "until": "2030-01-01T00:00:00Z",
        "from_byte": 7,
    }
    browser.caller.post("/_mock/faults", rule, query=query)
    page = html.unescape(browser.look("/faults"))
    assert 'body /job_title is "xxx' in page
    assert "every 3, probability 0.5, until 2030-01-01T00:00:00Z, from_byte 7" in page
    assert "x" * MOST_TEXT not in page


ALTERED = {
    "no proof": {"proof": ""},
    "another proof": {"proof": "0" * 64},
    "a proof that is no text of ours": {"proof": "é\0"},
}


@pytest.mark.parametrize("altered", ALTERED)
def test_a_form_without_its_proof_does_nothing(browser: Browser, altered: str) -> None:
    before = browser.statuses()
    assert browser.press("/job/1", "Kill", **ALTERED[altered]).status_code == 403
    assert browser.statuses() == before


def test_a_proof_is_good_in_the_browser_that_was_shown_it_alone(browser: Browser) -> None:
    (form,) = (form for form in forms(browser.look("/job/1")) if form.label == "Kill")
    other = Browser(browser.fake, browser.caller, browser.fake.app.test_client())
    assert other.send(form).status_code == 403
    other.look("/job/1")
    assert other.send(form).status_code == 403
    with running() as elsewhere:  # browsers give its cookie to every port
        client = elsewhere.app.test_client()
        cookie = browser.client.get_cookie(FORM_COOKIE, domain="127.0.0.1")
        assert cookie is not None
        client.set_cookie(FORM_COOKIE, cookie.value, domain="127.0.0.1")
        assert Browser(elsewhere, browser.caller, client).send(form).status_code == 403
    assert browser.send(form).status_code == 303


ORIGINS = (None, ORIGIN, "null", "https://evil.example", "http://127.0.0.1:1", "http://localhost:8089")
SITES = (None, "same-origin", "same-site", "cross-site", "none")


@pytest.mark.parametrize(("origin", "site"), list(product(ORIGINS, SITES)))
def test_a_form_comes_from_a_page_of_this_server_or_is_refused(
    browser: Browser, origin: str | None, site: str | None
) -> None:
    """`none` is what a browser says of an address that was typed in: no form is."""
    (form,) = (form for form in forms(browser.look("/job/1")) if form.label == "Kill")
    told = {"Origin": origin, "Sec-Fetch-Site": site}
    answer = browser.send(
        form, {name: value for name, value in told.items() if value is not None} or {"X": "y"}
    )
    fits = origin in (None, ORIGIN) and site in (None, "same-origin") and (origin, site) != (None, None)
    assert answer.status_code == (303 if fits else 403)


def test_no_form_is_larger_than_the_limit(browser: Browser) -> None:
    assert browser.press("/job/1", "Kill", much="x" * 70_000).status_code == 413


@given(fields=st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=5))
def test_a_form_of_anything_is_refused_in_words(shared_fake: Fake, fields: dict[str, str]) -> None:
    client = shared_fake.app.test_client()
    for path in ("/job/1/act", "/job/1/change", "/job/1/0/act", "/job/1/0/force"):
        answer = client.post(path, base_url=ORIGIN, data=fields, headers={"Origin": ORIGIN})
        assert answer.status_code in (400, 403, 404)
        assert answer.get_json()["message"]
