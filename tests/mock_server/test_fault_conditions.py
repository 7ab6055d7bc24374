"""The conditions of a rule are those of every kind: which requests fit it, whose turn it is, where the fault begins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conductor_contracts.contract import load_control
from conductor_mock.commands.faults import add as faults_add
from conductor_mock.faults.conditions import BodyMatch, Match, RequestInfo, Turns
from conductor_mock.faults.fault import Fault
from conductor_mock.faults.kinds import KINDS
from conductor_mock.faults.reading import FaultError, read_rule
from conductor_mock.faults.rules import Faults
from conductor_mock.inprocess import InProcess, in_process
from conductor_mock.settings import Settings
from support.server import ManualWall, job_payload

EXAMPLES = 100
TURNS = st.builds(
    Turns,
    times=st.none() | st.integers(1, 5),
    skip=st.integers(0, 5),
    every=st.integers(1, 4),
    probability=st.floats(0, 1),
    seed=st.integers(0, 3),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0])
    | st.text("a~/1é", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("a~/01", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def rule_of(kind: str = "status", **more: Any) -> dict[str, Any]:
    return {"fault": {"kind": kind}, **more}


def a_request(*, simulated_s: float = 0.0) -> RequestInfo:
    return RequestInfo(None, "GET", "/", 0.0, simulated_s, 0, has_token=False, has_signature=False)


# Whose turn it is


def test_a_rule_that_says_nothing_of_turns_is_for_all_that_fit_and_its_seed_is_1() -> None:
    assert Turns().to_json() == {"times": None, "skip": 0, "every": 1, "probability": 1, "seed": 1}


@settings(max_examples=EXAMPLES)
@given(turns=TURNS, count=st.integers(0, 40))
def test_turns_are_those_that_their_words_say(turns: Turns, count: int) -> None:
    rule = read_rule(rule_of(**turns.to_json()), ())
    asked = a_request()
    got = [number for number in range(1, count + 1) if rule.take(asked, {}) is not None]
    expected = [n for n in range(turns.skip + 1, count + 1) if (n - turns.skip) % turns.every == 0]
    if turns.probability == 1:
        assert got == expected[: turns.times]
    assert set(got) <= set(expected)
    assert turns.times is None or len(got) <= turns.times
    assert (rule.seen, rule.consumed) == (count, len(got))
    again = read_rule(rule_of(**turns.to_json()), ())
    assert got == [n for n in range(1, count + 1) if again.take(asked, {}) is not None], "by its seed"


@settings(max_examples=20)
@given(probability=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
def test_a_probability_is_about_as_many_as_it_says(probability: float, seed: int) -> None:
    turns = Turns(probability=probability, seed=seed)
    count = sum(turns.chooses(number, 0) for number in range(1, 2001))
    # Six deviations: once in half a billion seeds.
    assert abs(count - 2000 * probability) < 6 * (2000 * probability * (1 - probability)) ** 0.5


# Which body fits


def pointers(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every place of a value, as RFC 6901 writes it, and what is there."""
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from pointers(inner, f"{path}/{str(name).replace('~', '~0').replace('/', '~1')}")


@settings(max_examples=EXAMPLES)
@given(body=VALUES, other=VALUES)
@example(body=[True, 1, 1.0], other=1)
@example(body={"~1": 0, "/": 1, "": {"": 2}}, other=None)
def test_a_pointer_leads_to_its_place_and_to_no_other(body: Any, other: Any) -> None:
    places = dict(pointers(body))
    for pointer, value in places.items():
        assert BodyMatch(pointer, value).fits(body)
        same = json.dumps(value, sort_keys=True).replace("1.0", "1") == json.dumps(
            other, sort_keys=True
        ).replace("1.0", "1")
        assert BodyMatch(pointer, other).fits(body) == same
        for wrong in (f"{pointer}/a/a/a/a/a", f"{pointer}/-", f"{pointer}/00", f"{pointer}/9999999999999"):
            if wrong not in places:
                assert not BodyMatch(wrong, other).fits(body)


@pytest.mark.parametrize("step", ["²", "٣", "-1", "1_0", " 1", "", "01", "1", "9" * 5000])
def test_what_is_no_place_of_a_list_leads_nowhere(step: str) -> None:
    assert not BodyMatch(f"/{step}", 7).fits([7])
    assert BodyMatch(f"/{step}", 7).fits({step: 7})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1], [1, 2]),
        ([], [1]),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}),
        ({}, []),
        ([], None),
        ({"a": [True]}, {"a": [1]}),
        (False, 0),
        ("1", 1),
        (None, False),
    ],
)
def test_values_that_differ_anywhere_are_not_the_same(one: Any, other: Any) -> None:
    for first, second in ((one, other), (other, one)):
        assert BodyMatch("", first).fits(first)
        assert not BodyMatch("", first).fits(second)


@pytest.fixture
def wall() -> ManualWall:
    return ManualWall()


@pytest.fixture
def fake(wall: ManualWall) -> Iterator[InProcess]:
    with in_process(Settings(ephemeral=True, speed=0), wall=wall) as started:
        yield started


def sign_in(fake: InProcess, client_id: str = "one") -> dict[str, str]:
    query = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "key"}
    answer = requests.get(f"{fake.url}/api/oauth_jwt", params=query, timeout=60)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def ask(
    fake: InProcess, headers: dict[str, str], method: str, path: str, body: Any = None
) -> requests.Response:
    return requests.request(method, f"{fake.url}{path}", json=body, headers=headers, timeout=60)


@pytest.mark.parametrize("kind", ["status", "duplicate", "after_close", "lost_answer"])
def test_a_body_that_was_looked_at_is_there_for_whoever_reads_it_next(fake: InProcess, kind: str) -> None:
    headers = sign_in(fake)
    match = {"operation": "jobs.create", "body": {"pointer": "/tasks_data/0/frames", "value": "7"}}
    options = {"seconds": 0} if kind == "after_close" else {}
    ask(fake, headers, "POST", "/_mock/faults", {"match": match, "fault": {"kind": kind, **options}})
    other = ask(fake, headers, "POST", "/jobs/", job_payload())
    assert other.status_code == 201
    fitting = job_payload(tasks_data=[{"command": "c", "frames": "7"}])
    try:
        ask(fake, headers, "POST", "/jobs/", fitting)
    except requests.ConnectionError:
        assert kind in ("after_close", "lost_answer")
    jobs = ask(fake, headers, "GET", "/_mock/jobs").json()["jobs"]
    made = {"status": 0, "duplicate": 2}.get(kind, 1)
    assert [job["payload"]["tasks_data"][0]["frames"] for job in jobs[1:]] == ["7"] * made
    (rule,) = ask(fake, headers, "GET", "/_mock/faults").json()["faults"]
    assert (rule["seen"], rule["consumed"], rule["match"]["body"]) == (1, 1, match["body"])


def test_a_body_that_is_none_fits_nothing_and_is_refused_as_ever(fake: InProcess) -> None:
    headers = sign_in(fake)
    ask(fake, headers, "POST", "/_mock/faults", rule_of(match={"body": {"pointer": "", "value": None}}))
    for data in (b"", b"{", b"\xff", b"[" * 1000):
        answer = requests.post(f"{fake.url}/jobs/", data=data, headers=headers, timeout=60)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("the body ")
    assert requests.post(f"{fake.url}/jobs/", data=b"null", headers=headers, timeout=60).status_code == 503
    assert ask(fake, headers, "GET", "/api/v1/jobs").status_code == 200


# Until when


def test_a_rule_ends_with_the_second_that_it_names() -> None:
    match = Match(until="1970-01-01T00:01:00Z")
    assert [match.fits_head(a_request(simulated_s=second)) for second in (59.75, 60, 61)] == [
        True,
        False,
        False,
    ]


def test_a_rule_ends_at_its_time_of_the_accounts_clock(fake: InProcess) -> None:
    headers = sign_in(fake)
    ask(fake, headers, "POST", "/jobs/", job_payload())
    now = ask(fake, headers, "POST", "/_mock/clock", {"advance": 0.5}).json()["now"]
    end = now[:14] + "59:59Z"
    ask(fake, headers, "POST", "/_mock/faults", rule_of(match={"operation": "jobs.list"}, until=end))
    assert ask(fake, headers, "GET", "/api/v1/jobs").status_code == 503
    ask(fake, headers, "POST", "/_mock/clock", {"advance": 3600})
    assert ask(fake, headers, "GET", "/api/v1/jobs").status_code == 200
    (rule,) = ask(fake, headers, "GET", "/_mock/faults").json()["faults"]
    assert (rule["seen"], rule["consumed"], rule["until"]) == (1, 1, end)


def test_a_quota_by_the_accounts_clock_is_full_again_when_that_was_moved(
    fake: InProcess, wall: ManualWall
) -> None:
    headers = sign_in(fake)
    fault = {"kind": "quota", "requests": 1, "seconds": 60, "simulated": True}
    ask(fake, headers, "POST", "/_mock/faults", {"match": {"operation": "jobs.list"}, "fault": fault})
    wall.step(600)  # the account's clock is frozen
    answers = [ask(fake, headers, "GET", "/api/v1/jobs") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    wall.step(60)
    assert ask(fake, headers, "GET", "/api/v1/jobs").status_code == 429
    ask(fake, headers, "POST", "/_mock/clock", {"advance": int(answers[1].headers["Retry-After"])})
    assert ask(fake, headers, "GET", "/api/v1/jobs").status_code == 200


# What cannot be meant


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"every": 0}, "/every"),
        ({"probability": -0.1}, "/probability"),
        ({"probability": 1.1}, "/probability"),
        ({"seed": -1}, "/seed"),
        ({"until": "tomorrow"}, "/until"),
        ({"until": "2026-02-30T00:00:00Z"}, "/until"),
        ({"from_byte": -1}, "/from_byte"),
        ({"match": {"body": {"pointer": "project", "value": 1}}}, "/match/body/pointer"),
        ({"match": {"body": {"pointer": "/project"}}}, "/match/body/value"),
        ({"match": {"body": "/project"}}, "/match/body"),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused_by_place(more: dict[str, Any], path: str) -> None:
    with pytest.raises(FaultError) as caught:
        read_rule(rule_of(**more), ())
    assert [problem.path for problem in caught.value.problems] == [path]


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        (rule_of("stats"), "'status'"),
        (rule_of("lost_answr"), "'lost_answer'"),
        (rule_of("answer_lost"), "'lost_answer'"),
        (rule_of(match={"operation": "jobs.crate"}), "'jobs.create'"),
        (rule_of(match={"operation": "create_job"}), "'jobs.create'"),
        (rule_of(match={"operation": "createJob"}), "'jobs.create'"),
        (rule_of(evry=2), "'every'"),
        (rule_of(match={"metod": "GET"}), "'method'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_one_that_was_meant(rule: dict[str, Any], meant: str) -> None:
    with pytest.raises(FaultError, match=f"did you mean {meant}"):
        read_rule(rule, ("jobs.create", "jobs.list", "tasks.list"))


def test_null_is_the_default_of_every_condition() -> None:
    names = list(load_control().document["components"]["schemas"]["FaultRule"]["properties"])
    rule = read_rule({**dict.fromkeys(names), **rule_of(match={})}, ())
    assert rule.turns == Turns()
    assert (rule.match.until, rule.from_byte) == (None, 0)


def test_the_command_line_has_every_condition() -> None:
    schemas = load_control().document["components"]["schemas"]
    offered = {parameter.opts[0].removeprefix("--").replace("-", "_") for parameter in faults_add.params}
    assert {*schemas["FaultRule"]["properties"], *schemas["FaultMatch"]["properties"]} - {
        "fault",
        "match",
    } <= offered
    assert {field.name for field in fields(Turns)} <= set(schemas["FaultRule"]["properties"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_conditions_are_those_of_every_kind(kind: type[Fault]) -> None:
    faults = Faults(("jobs.create",))
    conditions = {"times": 2, "skip": 1, "every": 2, "until": "2030-01-01T00:00:00Z", "from_byte": 9}
    match = {"operation": "jobs.create", "body": {"pointer": "/a", "value": 1}}
    option = {"requests": 1} if kind.kind == "quota" else {}
    rule = faults.add("5001", {"match": match, "fault": {"kind": kind.kind, **option}, **conditions})
    right: dict[str, Any] = {
        "operation": "jobs.create", "method": "POST", "path": "/jobs/", "wall_s": 0.0, "simulated_s": 0.0,
        "body_bytes": 9, "has_token": True, "has_signature": True, "read_body": lambda: ({"a": 1},),
    }  # fmt: skip

    def take(**other: Any) -> bool:
        return faults.take("5001", RequestInfo(**{**right, **other})) is not None

    for wrong in ({"read_body": lambda: ({"a": 2},)}, {"operation": "jobs.list"}, {"simulated_s": 2e9}):
        assert not take(**wrong)
    assert not take(body_bytes=8)
    seen = rule.seen
    assert seen == (1 if kind.of_answer else 0), (
        "what is shorter does not fit a kind that is about the request"
    )
    got = [take() for _ in range(9 - seen)]
    served = 2 if kind.kind == "quota" else 0  # its first one is chosen, and within the quota
    assert [number for number, hit in enumerate(got, start=1 + seen) if hit] == [3 + served, 5 + served]
    assert (rule.seen, rule.consumed) == (9, 2)


def test_a_match_is_told_as_it_was_asked_for() -> None:
    """A list of rules is what another server, or the next start, reads them from."""
    asked: dict[str, Any] = {
        "operation": "jobs.create",
        "method": "POST",
        "path": "/jobs/.*",
        "body": {"pointer": "/a/0", "value": None},
    }
    rules = Faults(frozenset({"jobs.create"}))
    for names in ([], *([name] for name in asked), list(asked)):
        match = {name: asked[name] for name in names}
        told = rules.add("an account", rule_of(match=match)).to_json()["match"]
        assert {name: value for name, value in told.items() if value is not None} == match


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({"method": "GET"}, True),
        ({"method": "POST"}, False),
        ({"path": "/"}, True),
        ({"path": "/x"}, False),
        ({"operation": "jobs.create"}, False),
    ],
)
def test_each_word_of_a_match_decides(match: dict[str, Any], fits: bool) -> None:
    rule = Faults(frozenset({"jobs.create"})).add("an account", rule_of(match=match))
    assert rule.match.fits(a_request()) is fits


def test_a_match_is_over_at_its_time() -> None:
    until = Match(until="1970-01-01T00:00:01Z")
    assert [until.fits(a_request(simulated_s=seconds)) for seconds in (0.5, 1.0, 1.5)] == [True, False, False]
    assert not Match(least_body=1).fits_head(a_request())


@pytest.mark.parametrize("body", ["text", 5, None, {"1": 1}, True])
def test_a_number_in_a_pointer_is_a_place_in_a_list_only(body: Any) -> None:
    assert BodyMatch("/1", 1).fits([0, 1])
    assert BodyMatch("/1", 1).fits(body) is (body == {"1": 1})
