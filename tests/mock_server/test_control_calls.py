"""What every call of the control API has in common: its contract is what it is held to, and looking changes nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from conductor_contracts.contract import load as load_contract
from conductor_contracts.contract import load_control
from conductor_contracts.operation import Operation
from conductor_mock.farm import outcomes
from conductor_mock.farm.clock import MAX_ADVANCE_S, MAX_SPEED
from conductor_mock.farm.statuses import DRAWN, FORCED
from conductor_mock.farm.values import Options
from conductor_mock.store import mail_statuses
from conductor_mock.store.journal import KEEP
from support.server import Answer, Fake

OPERATIONS = list(load_control().operations.values())
GETS = [one for one in OPERATIONS if one.method == "GET"]
SCHEMAS = load_control().document["components"]["schemas"]


def name_of(operation: Operation) -> str:
    return operation.id


def call(fake: Fake, operation: Operation, **options: Any) -> Answer:
    """A call whose body, if it has one, is the first example of its contract. The caller holds the answer to it."""
    path = operation.path.format(jid="00001", tid="000")
    needed = [one.name for one in operation.parameters if one.required and one.place == "query"]
    options["query"] = {**dict.fromkeys(needed, "/proj/a.ma"), **options.get("query", {})}
    if operation.request_schema is not None and not {"body", "data"} & options.keys():
        spec = load_control().document["paths"][operation.path][operation.method.lower()]
        media = spec["requestBody"]["content"]["application/json"]
        examples = [one["value"] for one in media.get("examples", {}).values()] or [media["example"]]
        options["data"] = json.dumps(examples[0]).encode()
    return fake.anonymous().request(operation.method, path, **options)


@pytest.mark.parametrize("operation", GETS, ids=name_of)
def test_looking_makes_no_account_and_answers_what_the_contract_says(
    fake: Fake, operation: Operation
) -> None:
    spec = load_control().document["paths"][operation.path]["get"]
    takes_one = any(one.name == "account" for one in operation.parameters)
    named = {"query": {"account": fake.service.keys.client_id}} if takes_one else {}

    assert call(fake, operation).status == int(spec["x-never-used"])
    assert call(fake, operation, **named).status == int(spec["x-never-used"])
    assert fake.service.accounts.ids() == []


def test_an_account_that_was_never_used_is_shown_as_it_begins(fake: Fake) -> None:
    paths = ("clock", "options", "outcomes", "catalog", "jobs", "files", "mails")
    before = {path: fake.anonymous().get(f"/_mock/{path}").json() for path in paths}
    assert fake.service.accounts.ids() == []
    caller = fake.default_caller()

    assert {path: caller.get(f"/_mock/{path}").json() for path in paths} == before


def test_the_pages_make_no_account(fake: Fake) -> None:
    for path, status in (("/", 200), ("/mails", 200), ("/jobs/00001", 404)):
        assert fake.anonymous().get(path).status == status
    assert fake.service.accounts.ids() == []


def test_the_servers_own_account_begins_with_the_first_write_to_it(fake: Fake) -> None:
    fake.anonymous().post("/_mock/clock", {"advance": 60})

    assert len(fake.service.accounts.ids()) == 1
    assert fake.anonymous().get("/_mock/clock").json()["now"] == "2026-01-01T00:01:00Z"


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_a_parameter_that_the_contract_does_not_name_is_refused_by_name(
    shared_fake: Fake, operation: Operation
) -> None:
    headers = {"Content-Type": next(iter(operation.request_media_types), "application/json")}
    answer = call(shared_fake, operation, query={"acount": "studio"}, headers=headers)

    assert answer.status == 400
    assert answer.message.startswith(f"{operation.id}: acount is no parameter here")
    assert list(answer.faults) == ["acount"]
    takes_one = any(one.name == "account" for one in operation.parameters)
    assert ("did you mean 'account'?" in answer.message) == takes_one


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.request_schema], ids=name_of)
@pytest.mark.parametrize("body", [7, "idle", True, {"colour": 1}, {"": None}])
def test_a_body_that_the_contract_does_not_take_is_refused_and_makes_no_account(
    fake: Fake, operation: Operation, body: Any
) -> None:
    assert call(fake, operation, data=json.dumps(body).encode()).status == 400
    assert fake.service.accounts.ids() == []


def test_a_filter_that_is_misspelt_is_refused_with_the_near_name(shared_fake: Fake) -> None:
    answer = shared_fake.anonymous().get("/_mock/requests", query={"operaton": "jobs.create"})

    assert answer.status == 400
    assert answer.message == (
        "control.requests.list: operaton is no parameter here; did you mean 'operation'?"
    )


def test_an_operation_that_is_misspelt_is_refused_with_the_near_name(shared_fake: Fake) -> None:
    answer = shared_fake.anonymous().get("/_mock/requests", query={"operation": "jobs.creat"})

    assert answer.status == 400
    assert answer.faults == {
        "operation": "'jobs.creat' is no operation of the service; did you mean 'jobs.create'?"
    }


@pytest.mark.parametrize(
    ("query", "name", "message"),
    [
        ("method=get", "method", 'must be "GET"'),
        ("limit=0", "limit", "must be a whole number from 1 to 10000"),
        ("account=one&account=other", "account", "is given twice"),
        ("path=/a&path=/b", "path", "is given twice"),
    ],
)
def test_a_value_of_a_query_that_cannot_be_meant_is_refused_by_name(
    shared_fake: Fake, query: str, name: str, message: str
) -> None:
    answer = shared_fake.anonymous().get("/_mock/requests", query=query)

    assert answer.status == 400
    assert answer.faults[name].startswith(message)


def test_a_time_that_does_not_exist_is_refused_by_name(fake: Fake) -> None:
    fake.default_caller().submit()
    answer = fake.anonymous().get("/_mock/jobs/00001", query={"at": "2026-02-30T00:00:00Z"})

    assert (answer.status, list(answer.faults)) == (400, ["at"])


def test_new_rules_come_before_those_that_are_there_until_all_are_cleared(shared_fake: Fake) -> None:
    caller = shared_fake.newcomer()
    query = {"account": caller.client_id}
    first, second, third = ({"match": {"tid": tid}, "outcome": "failed"} for tid in "012")
    assert caller.post("/_mock/outcomes", first, query=query).json()["rules"] == [first]
    answer = caller.post("/_mock/outcomes", [second, third], query=query).json()
    assert (answer["rules"], answer["tasks_that_fit"]) == ([second, third, first], 0)
    assert caller.get("/_mock/outcomes", query=query).json()["rules"] == [second, third, first]
    assert caller.delete("/_mock/outcomes", query=query).status == 204
    assert caller.get("/_mock/outcomes", query=query).json() == {"rules": [], "counts": []}


def test_a_rule_for_frames_that_are_none_is_refused_where_it_stands_in_a_list(fake: Fake) -> None:
    rules = [{"duration": 1}, {"match": {"frames": "x"}, "duration": 1}]
    answer = fake.anonymous().post("/_mock/outcomes", rules)

    assert (answer.status, list(answer.faults)) == (400, ["/1/match/frames"])
    assert fake.anonymous().get("/_mock/outcomes").json() == {"rules": [], "counts": []}


def test_a_rule_counts_the_tasks_that_fit_it_and_the_attempts_of_those_that_it_decides(fake: Fake) -> None:
    caller = fake.default_caller()
    caller.post("/_mock/outcomes", {"match": {"title": "none"}, "outcome": "failed"})
    caller.post("/_mock/outcomes", {"outcome": "failed"})
    caller.submit(tasks_data=[{"command": "a", "frames": "1"}, {"command": "b", "frames": "2"}])

    def counts() -> list[dict[str, int]]:
        found: list[dict[str, int]] = caller.get("/_mock/outcomes").json()["counts"]
        return found

    caller.post("/_mock/clock", {"until": "idle"})
    assert counts() == [{"tasks": 2, "attempts": 2}, {"tasks": 0, "attempts": 0}]
    caller.post("/_mock/outcomes", {"match": {"frames": "1"}, "outcome": "success"})
    assert [one["attempts"] for one in counts()] == [1, 1, 0]
    caller.delete("/_mock/outcomes")
    assert counts() == []


def test_an_uploaded_file_is_read_by_its_path_and_no_other_is(fake: Fake) -> None:
    caller = fake.default_caller()
    caller.upload("/proj/a.ma", b"a scene")
    answer = caller.get("/_mock/files/content", query={"path": "/proj/a.ma"})
    assert (answer.status, answer.content) == (200, b"a scene")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    other = caller.get("/_mock/files/content", query={"path": "/proj/b.ma"})
    assert (other.status, list(other.faults)) == (404, ["path"])


def test_whole_numbers_may_be_written_as_fractions(fake: Fake) -> None:
    """To JSON 3.0 is the whole number 3, and what is kept is one."""
    fake.anonymous().post("/_mock/options", data=b'{"seed": 7.0, "part_size": 1e6}')
    shown = fake.anonymous().get("/_mock/options").content

    assert b'"seed":7,' in shown
    assert b'"part_size":1000000,' in shown


def test_the_closest_call_is_named_where_there_is_none(shared_fake: Fake) -> None:
    answer = shared_fake.anonymous().get("/_mock/helth")

    assert answer.status == 404
    assert (
        answer.message
        == "there is no GET /_mock/helth; the closest is GET /_mock/health (control.health.get), which differs in path"
    )


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (SCHEMAS["ClockMove"]["properties"]["advance"]["maximum"], MAX_ADVANCE_S),
        (SCHEMAS["ClockMove"]["properties"]["speed"]["maximum"], MAX_SPEED),
        (SCHEMAS["ForcedEnd"]["properties"]["status"]["enum"], list(FORCED)),
        (SCHEMAS["Outcome"]["enum"], list(DRAWN)),
        (SCHEMAS["OutcomeRule"]["properties"]["duration"]["maximum"], outcomes.MAX_DURATION_S),
        (list(SCHEMAS["OutcomeRule"]["properties"]["match"]["properties"]), list(outcomes.MATCHERS)),
        (list(SCHEMAS["Options"]["properties"]), list(Options.__dataclass_fields__)),
        (SCHEMAS["MailDelivery"]["properties"]["state"]["enum"], list(mail_statuses.STATES)),
        (SCHEMAS["Evidence"]["properties"]["grade"]["enum"], list(load_contract().grades)),
    ],
    ids=str,
)
def test_what_the_contract_says_is_what_the_server_means(said: Any, meant: Any) -> None:
    assert said == meant


def test_a_query_of_the_journal_may_ask_for_all_that_is_kept() -> None:
    (limit,) = [
        one for one in load_control().operations["control.requests.list"].parameters if one.name == "limit"
    ]
    assert re.fullmatch(limit.schema["pattern"], str(KEEP))
    assert not re.fullmatch(limit.schema["pattern"], str(KEEP + 1))
