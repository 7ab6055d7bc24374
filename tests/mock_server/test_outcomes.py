"""How attempts go: by a rule, by the job's metadata, else as the seed draws it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm import outcomes
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.commands import JobCreated, RulesChanged
from conductor_mock.farm.outcomes import Plan
from conductor_mock.farm.refusals import InvalidRequestError
from conductor_mock.farm.state import Job
from conductor_mock.farm.statuses import Outcome
from support.simulated import MACHINE, Farm, job_of


def ruled(*rules: dict[str, Any]) -> Farm:
    """A farm with rules, in the form of the control API."""
    farm = Farm()
    farm.do(RulesChanged(tuple(outcomes.check_rule(rule) for rule in rules)))
    return farm


def test_a_rule_decides_how_the_attempts_of_its_tasks_go() -> None:
    farm = Farm()
    rule = {"match": {"frames": "2"}, "outcome": ["preempted", "preempted", "success"], "duration": 40}
    farm.do(RulesChanged((outcomes.check_rule(rule),)))
    job = farm.submit(4, autoretry_policy={"preempted": {"max_retries": 2}})
    farm.until_idle()
    assert [a.outcome for a in job.tasks[2].attempts] == ["preempted", "preempted", "success"]
    last = job.tasks[2].attempts[-1]
    assert last.ended_us is not None
    assert last.ended_us - last.started_us == 40 * SECOND
    assert {len(task.attempts) for index, task in enumerate(job.tasks) if index != 2} == {1}


@pytest.mark.parametrize("by", ["rule", "metadata"])
def test_attempts_behind_the_end_of_a_list_go_as_its_last(by: str) -> None:
    farm = Farm()
    if by == "rule":
        farm.do(RulesChanged((outcomes.check_rule({"match": {}, "outcome": ["preempted", "failed"]}),)))
    metadata = {"mock_outcome": "preempted, failed"} if by == "metadata" else {}
    policy = {"preempted": {"max_retries": 1}, "failed": {"max_retries": 3}}
    job = farm.submit(1, metadata=metadata, autoretry_policy=policy)
    farm.until_idle()
    assert [attempt.outcome for attempt in job.tasks[0].attempts] == ["preempted", *["failed"] * 4]


@pytest.mark.parametrize(
    ("metadata", "seconds"),
    [
        ({"mock_duration": "7"}, 7),
        ({"mock_duration": "0"}, 0),
        ({"mock_duration": "1.5"}, 1.5),
        ({"mock_duration": "604800"}, 604_800),
        ({"mock_duration": "7", "mock_frames": "0-3"}, 7),
    ],
    ids=str,
)
def test_metadata_say_how_long_each_attempt_takes(metadata: dict[str, str], seconds: float) -> None:
    farm = Farm()
    job = farm.submit(2, metadata=metadata)
    farm.until_idle()
    for task in job.tasks:
        (attempt,) = task.attempts
        assert attempt.ended_us == attempt.started_us + round(seconds * SECOND)
        assert (attempt.outcome, attempt.exit_code) == ("success", 0)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"mock_duration": "long"},
        {"mock_duration": "-1"},
        {"mock_duration": "nan"},
        {"mock_duration": "7", "mock_frames": "8"},
        {"mock_duration": "7", "mock_frames": "no frames"},
    ],
    ids=str,
)
def test_metadata_that_say_no_duration_leave_it_to_the_seed(metadata: dict[str, str]) -> None:
    farm, same = Farm(), Farm()
    job, other = farm.submit(2, metadata=metadata), same.submit(2)
    farm.until_idle()
    same.until_idle()
    assert [task.attempts[0].ended_us for task in job.tasks] == [
        task.attempts[0].ended_us for task in other.tasks
    ]


@pytest.mark.parametrize(
    "match",
    [
        {"jid": "1"},
        {"jid": "00001", "tid": "0"},
        {"frames": "0", "owner": "kim"},
        {"title": "a shot"},
        {"project": "film"},
        {"owner": "kim"},
        {"metadata": {"shot": "a"}},
    ],
    ids=str,
)
def test_a_rule_is_for_the_tasks_that_fit_all_it_names(match: dict[str, Any]) -> None:
    farm = Farm()
    farm.do(RulesChanged((outcomes.check_rule({"match": match, "outcome": "failed"}),)))
    fitting = farm.submit(1, job_title="a shot", project="film", owner="kim", metadata={"shot": "a"})
    other = farm.submit(1, job_title="b shot", project="spot", owner="robin", metadata={"shot": "b"})
    farm.until_idle()
    assert [job.tasks[0].status for job in (fitting, other)] == ["failed", "success"]


@pytest.mark.parametrize(("rule", "code"), [({}, 1), ({"exit_code": 7}, 7), ({"exit_code": 0}, 0)], ids=str)
def test_a_failed_attempt_has_the_exit_code_of_its_rule(rule: dict[str, int], code: int) -> None:
    farm = Farm()
    farm.do(RulesChanged((outcomes.check_rule({"outcome": "failed", **rule}),)))
    job = farm.submit(1)
    farm.until_idle()
    assert job.tasks[0].attempts[0].exit_code == code


def test_a_rule_for_frames_that_are_none_is_refused_by_place() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        outcomes.check_rule({"match": {"frames": "x"}, "outcome": "failed"})
    assert caught.value.path == "/match/frames"


# What the seed draws


def drawn(seed: int, *, speed: int = 100, **payload: Any) -> tuple[Farm, Job]:
    farm = Farm(seed=seed)
    command = job_of(200, **payload)
    farm.do(JobCreated(command.payload, "", replace(MACHINE, speed=speed)))
    return farm, farm.state.jobs[1]


def test_a_seed_draws_today_what_it_drew_ever_before() -> None:
    """Else a bundle of yesterday comes to another history."""
    farm, job = drawn(7, preemptible=True)
    plans = [outcomes.plan(farm.state, job, index, attempt) for index in (0, 1, 199) for attempt in (1, 2)]
    assert [(plan.outcome, plan.duration_us, plan.exit_code) for plan in plans] == [
        *[("success", 52_486_722, 0)] * 2,
        *[("success", 43_578_053, 0)] * 2,
        ("preempted", 2_188_369, None),
        ("success", 40_364_264, 0),
    ]
    again, more = Farm(seed=7), [job_of(1), job_of(200, preemptible=True)]
    for command in more:
        again.do(command)
    other = outcomes.plan(again.state, again.state.jobs[2], 0, 1)
    assert other != plans[0], "each job of an account is drawn for itself"


def test_a_task_takes_half_a_minute_to_two_minutes_on_the_reference_machine_whichever_attempt_it_is() -> None:
    seconds = []
    for seed in range(10):
        farm, job = drawn(seed)
        for index in range(200):
            first, second = (outcomes.plan(farm.state, job, index, attempt) for attempt in (1, 2))
            assert (first, first.outcome, first.exit_code) == (second, "success", 0)
            seconds.append(first.duration_us / SECOND)
    assert 30 <= min(seconds) < 30.5
    assert 119.5 < max(seconds) <= 120
    assert 73 < sum(seconds) / len(seconds) < 77
    assert len(set(seconds)) == len(seconds)


@given(st.integers(10, 1000))
def test_a_faster_machine_takes_as_much_less_time(speed: int) -> None:
    (farm, job), (other, faster) = drawn(1), drawn(1, speed=speed)
    for index in range(3):
        slow = outcomes.plan(farm.state, job, index, 1).duration_us
        assert outcomes.plan(other.state, faster, index, 1).duration_us == slow * 100 // speed


def test_one_attempt_in_twelve_is_preempted_at_any_moment_of_it_where_the_job_allows_it() -> None:
    shares, seen = [], Counter[bool]()
    for seed in range(10):
        farm, job = drawn(seed, preemptible=True)
        same, lasting = drawn(seed, preemptible=False)
        for index in range(200):
            for attempt in (1, 2):
                plan = outcomes.plan(farm.state, job, index, attempt)
                whole = outcomes.plan(same.state, lasting, index, attempt)
                assert whole.outcome == "success"
                seen[plan.outcome == "preempted"] += 1
                if plan.outcome == "preempted":
                    assert plan.exit_code is None
                    shares.append(plan.duration_us / whole.duration_us)
                else:
                    assert plan == whole
    assert 0.07 < seen[True] / seen.total() < 0.09
    for seed, index, is_preempted in ((2, 83, True), (5, 54, False)):  # the nearest to eight in a hundred
        farm, job = drawn(seed, preemptible=True)
        assert (outcomes.plan(farm.state, job, index, 1).outcome == "preempted") is is_preempted
    assert 0 <= min(shares) < 0.1
    assert 0.9 < max(shares) < 1


# Which rule it is


@pytest.mark.parametrize(
    ("rules", "metadata", "plan"),
    [
        ([{"outcome": "failed", "duration": 5}], {"mock_outcome": "preempted"}, ("failed", 5, 1)),
        ([{"outcome": "failed"}], {"mock_duration": "7"}, ("failed", 7, 1)),
        ([{"duration": 0}], {"mock_outcome": "failed", "mock_duration": "7"}, ("failed", 0, 1)),
        ([{"duration": 2.5}, {"duration": 9, "outcome": "failed"}], {}, ("success", 2.5, 0)),
        ([{"match": {"tid": "1"}, "duration": 3}, {"duration": 4}], {}, ("success", 4, 0)),
        ([{"duration": 3, "exit_code": 9}], {}, ("success", 3, 0)),
        ([], {"mock_outcome": "failed", "mock_duration": "7", "mock_frames": 0}, ("failed", 7, 1)),
        ([{"duration": 3}], {"mock_outcome": "failed", "mock_frames": "8"}, ("success", 3, 0)),
    ],
    ids=[
        *("a rule goes before metadata", "metadata say what a rule does not", "no time at all is a time"),
        *(
            "of two rules the first decides alone",
            "a rule for other tasks",
            "only what failed has its exit code",
        ),
        *("frames as a number", "metadata for other frames"),
    ],
)
def test_what_is_said_decides(
    rules: list[dict[str, Any]], metadata: dict[str, Any], plan: tuple[str, float, int]
) -> None:
    farm = ruled(*rules)
    job = farm.submit(1, metadata=metadata)
    outcome, seconds, code = plan
    assert outcomes.plan(farm.state, job, 0, 1) == Plan(Outcome(outcome), round(seconds * SECOND), code)


def test_what_a_rule_preempts_is_preempted_within_its_duration() -> None:
    farm = ruled({"outcome": "preempted", "duration": 1000})
    job = farm.submit(50)
    plans = [outcomes.plan(farm.state, job, index, attempt) for index in range(50) for attempt in (1, 2)]
    moments = {plan.duration_us for plan in plans}
    assert {(plan.outcome, plan.exit_code) for plan in plans} == {("preempted", None)}
    assert 0 <= min(moments) < max(moments) < 1000 * SECOND
    assert len(moments) == 100, "each attempt at another moment"


def test_a_rule_without_a_match_is_for_every_task() -> None:
    assert outcomes.check_rule({"outcome": "failed"}) == {"match": {}, "outcome": "failed"}
    rule = {"match": {"frames": "1-3", "tid": "1"}, "duration": 1}
    assert outcomes.check_rule(rule) == rule


@pytest.mark.parametrize(
    ("match", "fitting"),
    [
        ({"jid": "2"}, False),
        ({"jid": "0001"}, True),
        ({"tid": "1"}, False),
        ({"tid": "000"}, True),
        ({"frames": "1-9"}, False),
        ({"title": "A shot"}, False),
        ({"metadata": {"shot": "a", "take": "1"}}, False),
        ({"metadata": {"shot": "a", "look": None}}, True),
        ({"metadata": {}}, True),
        ({"frames": "0", "owner": "robin"}, False),
    ],
    ids=str,
)
def test_everything_that_a_match_names_must_fit(match: dict[str, Any], fitting: bool) -> None:
    farm = Farm()
    job = farm.submit(2, job_title="a shot", owner="kim", metadata={"shot": "a"})
    assert outcomes.fits(match, job, 0, job.tasks[0]) is fitting


@pytest.mark.parametrize("frames", ["no number", "1"])
@pytest.mark.parametrize("named", ["no number", "1"])
def test_frames_that_are_none_fit_nothing(frames: str, named: str) -> None:
    farm = Farm()
    job = farm.submit(0, tasks_data=[{"command": "c", "frames": frames}], metadata={"mock_frames": named})
    said = {**job.metadata, "mock_duration": "1"}
    told = farm.submit(0, tasks_data=[{"command": "c", "frames": frames}], metadata=said)
    both = frames == named == "1"
    assert outcomes.fits({"frames": named}, job, 0, job.tasks[0]) is both
    assert (outcomes.plan(farm.state, told, 0, 1).duration_us == SECOND) is both


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("success", ["success"]),
        (" preempted ,failed, success ", ["preempted", "failed", "success"]),
        ("killed", None),
        ("success,", None),
        ("success, sucess", None),
        ("", None),
        (None, None),
        (["success"], None),
    ],
)
def test_metadata_name_outcomes_that_can_be_drawn_or_say_nothing(value: Any, read: list[str] | None) -> None:
    assert outcomes.read_outcomes(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2592000", 2_592_000),
        ("2592000.1", None),
        ("-0.1", None),
        (0, 0),
        (1.5, 1.5),
        ("inf", None),
        (None, None),
        ([1], None),
    ],
)
def test_metadata_name_seconds_up_to_a_month_or_say_nothing(value: Any, read: float | None) -> None:
    assert outcomes.read_duration(value) == read


# Rules that come too late


def test_a_rule_that_decides_nothing_says_what_it_does_not_do() -> None:
    farm = Farm()
    job = farm.submit(6)
    tid_1: dict[str, Any] = {"match": {"tid": "1"}}
    rules: list[dict[str, Any]] = [{"match": {"jid": "9"}}, tid_1, tid_1, {"match": {}}]
    assert outcomes.out_of_reach(rules, farm.state) == (
        {(1, index) for index in range(6)},
        [
            "rule 0 fits none of the 6 tasks that there are; it stays for those to come",
            "rule 2 decides nothing: rules before it fit each of its tasks (1)",
        ],
    )
    farm.advance(20 * SECOND)
    drawn = sum(bool(task.attempts) for task in job.tasks)
    assert drawn == 6
    named = "attempt 1 of task 00{} of job 00001"
    fitting, said = "tasks that it fits", "it decides about later attempts"
    for tids, count in ((["0", "1", "2"], 3), (["0", "1", "2", "3"], 4)):
        shown = ", ".join(named.format(number) for number in range(3)) + (" ..." if count > 3 else "")
        rule = {"match": {"frames": ",".join(tids)}}
        assert outcomes.out_of_reach([rule], farm.state) == (
            {(1, index) for index in range(count)},
            [
                f"rule 0 cannot change what is drawn already, in {count} of the {count} {fitting}: {shown}; {said}"
            ],
        )


def test_a_rule_for_attempts_to_come_is_told_nothing() -> None:
    farm = Farm()
    farm.submit(2)
    assert outcomes.out_of_reach([{"match": {}}], farm.state) == ({(1, 0), (1, 1)}, [])
    assert outcomes.out_of_reach([], farm.state) == (set(), [])
