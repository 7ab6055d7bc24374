"""The fold: the same log makes the same state, however it is cut, and time is whole microseconds that never go back."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_mock.farm import actions, commands, fold, simulation, snapshot, uploads
from conductor_mock.farm.clock import LAST_US, ONE, SECOND, Anchor, ClockError, advance_us, speed_millionths
from conductor_mock.farm.commands import (
    AccountOpened,
    CatalogReplaced,
    ClockSet,
    Command,
    JobCreated,
    OptionsChanged,
)
from conductor_mock.farm.decisions import create_job
from conductor_mock.farm.fold import EFFECTS, advance, follow, replay
from conductor_mock.farm.ids import account_id, draw, jid, tid
from conductor_mock.farm.payload import read
from conductor_mock.farm.recorded import BrokenLogError
from conductor_mock.farm.records import KINDS, Record, decode
from conductor_mock.farm.refusals import InvalidRequestError, NotThereError, StateForbidsError
from conductor_mock.farm.state import State
from conductor_mock.farm.statuses import FORCED, TaskStatus
from conductor_mock.farm.steps import move_clock
from conductor_mock.farm.values import Machine, Options
from conductor_mock.farm.views import job_record
from support.examples import examples
from support.payloads import job_payloads, texts
from support.server import START_US
from support.simulated import Farm
from support.states import image

options = st.builds(
    Options,
    simulation_version=st.integers(1, 9),
    catalog_sha256=texts,
    seed=st.integers(),
    fleet=st.integers(0, 1000),
    provider=st.sampled_from(["gcs", "s3"]),
    part_size=st.integers(1, 2**40),
    release_scouts=st.booleans(),
)
machines = st.builds(
    Machine,
    name=texts,
    cores=st.integers(1, 96),
    price_micro_usd_per_hour=st.integers(0, 10**9),
    preemptible_micro_usd_per_hour=st.integers(0, 10**9),
    license_micro_usd_per_hour=st.integers(0, 10**9),
    speed=st.integers(1, 1000),
)
anchors = st.builds(
    Anchor,
    wall_us=st.integers(0, START_US * 2),
    sim_us=st.integers(0, START_US * 2),
    speed_millionths=st.integers(0, 10**12),
)
delays = st.integers(0, 10**12)


def opening(**fields: Any) -> AccountOpened:
    return AccountOpened(
        **{
            "client_id": "studio",
            "account_id": account_id("studio"),
            "key_sha256": "0" * 64,
            "options": Options(1, "c" * 64, 1, 0, "gcs", 1 << 30, release_scouts=False),
            "clock": Anchor(START_US, START_US),
            **fields,
        }
    )


def job(payload: dict[str, Any], machine: Machine | None = None) -> JobCreated:
    """The command for a payload in an account that holds no content."""
    return create_job(
        read(payload), body_sha256="b" * 64, machine=machine or Machine("m", 1, 0, 0, 0, 100), held=()
    )


STEPS = ["job", "options", "clock", "act", "force", "claim", "progress", "fail"]


def next_command(draw_: st.DrawFn, state: State, kind: str) -> Command | None:
    """A command of a kind that the state allows, or None."""
    jids = [jid(number) for number in state.jobs] or ["00001"]
    one = draw_(st.sampled_from(jids))
    if kind == "job":
        return job(draw_(job_payloads()), draw_(machines))
    if kind == "options":
        return OptionsChanged(draw_(options))
    if kind == "clock":
        wall_us, seconds = draw_(st.integers(0, START_US * 2)), draw_(st.floats(0, 10**6))
        speed = draw_(st.none() | st.floats(0, 1000))
        return move_clock(state, wall_us, left_us=advance_us(seconds), speed=speed)[0]
    if kind == "act":
        return actions.act_on_jobs(state, draw_(st.sampled_from(sorted(actions.ACTIONS))), [one])
    if kind == "force":
        return actions.force(state, one, "000", draw_(st.sampled_from(FORCED)), None)
    if kind == "claim":
        return uploads.claim(state, state.jobs[int(one)].location if state.jobs else None)
    name = f"u{one}"
    if kind == "progress":
        return uploads.progress(state, name, bytes_to_send=draw_(delays), bytes_sent=draw_(delays))
    return uploads.fail(state, name, draw_(texts))


@st.composite
def logs(draw_: st.DrawFn) -> list[Record]:
    """Whole logs of one account: an opening, then commands that its state allows, at times that do not go back."""
    records = [Record(1, START_US, opening(options=draw_(options)))]
    state = replayed(records)
    for kind in draw_(st.lists(st.sampled_from(STEPS), max_size=8)):
        advance(state, state.now_us + draw_(delays))
        try:
            command = next_command(draw_, state, kind)
        except (NotThereError, StateForbidsError, InvalidRequestError):
            continue
        if command is not None:
            records.append(Record(state.seq + 1, state.now_us, command))
            follow(state, records[-1])
    return records


def stored(state: State) -> State:
    """The state after it went through a snapshot."""
    return snapshot.read(json.loads(json.dumps(snapshot.write(state), allow_nan=False)))


def history(state: State) -> list[dict[str, Any]]:
    """What a state is, and what comes of it."""
    later = deepcopy(state)
    advance(later, later.now_us + 100 * 86400 * SECOND)
    return [image(state), image(later)]


def replayed(records: Sequence[Record], state: State | None = None) -> State:
    after = replay(records, state)
    assert after is not None
    return after


def test_every_command_that_is_stated_can_be_read_from_a_log_and_has_an_effect() -> None:
    stated = {
        value for value in vars(commands).values() if isinstance(value, type) and hasattr(value, "kind")
    }

    assert stated == {*KINDS.values()}
    assert stated == {*EFFECTS, JobCreated, CatalogReplaced}


@given(logs(), st.data())
def test_a_log_cut_anywhere_replays_to_the_same_state(records: list[Record], data: st.DataObject) -> None:
    whole = history(replayed(records))
    cut = data.draw(st.integers(1, len(records)))

    assert history(replayed(records[cut:], replayed(records[:cut]))) == whole
    assert history(replayed(records[cut:], stored(replayed(records[:cut])))) == whole


@given(logs(), st.integers(1, 200))
def test_a_replay_in_slices_comes_to_the_same(records: list[Record], most: int) -> None:
    state = follow(None, records[0])
    assert replay(records[1:], state, most=most, between=lambda: None) is state
    assert history(state) == history(replayed(records))
    assert history(replay(records, most=most) or state) == history(state)


@given(logs(), st.integers(1, 20))
def test_a_slice_of_time_ends_with_the_moment_in_which_so_much_has_happened(
    records: list[Record], most: int
) -> None:
    state, whole = replayed(records), replayed(records)
    to_us = state.now_us + 86400 * SECOND
    advance(whole, to_us)
    ends: list[int] = []
    give_slots = simulation.give_slots

    def at_the_end_of_a_moment(now: State) -> None:
        give_slots(now)  # each instance is a thing that happens, too
        ends.append(now.happened)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "give_slots", at_the_end_of_a_moment)
        is_over = False
        while not is_over:
            began, ends[:] = state.happened, []
            is_over = advance(state, to_us, most)
            assert all(end - began < most for end in ends[:-1])
            assert is_over or ends[-1] - began >= most
            assert (state.now_us == to_us) or not is_over
    assert image(state) == image(whole)


@dataclass
class Work:
    """A state as far as the pace of a replay goes."""

    happened: int = 0
    now_us: int = 0
    jobs: dict[int, Any] = field(default_factory=dict)
    left: int = 0
    begun: int = 0
    followed: int = 0

    def advance(self, to_us: int, most: int) -> bool:
        assert to_us >= self.now_us
        happens = min(self.left, most)
        self.happened, self.left = self.happened + happens, self.left - happens
        self.now_us = to_us if not self.left else self.now_us
        return not self.left


@examples(200)
@given(
    steps=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 9), st.integers(0, 60)), max_size=12),
    most=st.integers(1, 100),
    is_begun=st.booleans(),
)
@example([(0, 0, 0)], 20, False)
@example([(0, 0, 0)], 21, False)
@example([(0, 0, 1)], 21, False)
@example([(0, 0, 1), (0, 0, 0)], 21, True)
@example([(0, 0, 0), (23, 0, 0)], 22, True)
def test_a_replay_gives_others_their_turn_each_time_that_so_much_was_done(
    steps: list[tuple[int, int, int]], most: int, is_begun: bool
) -> None:
    """A command counts as 20 things that happen in the farm, and each task of a new job as one.

    A step is how much happens before its command and by it, and how many tasks the command makes.
    """
    state = Work(happened=7, jobs={1: SimpleNamespace(tasks=[0] * 5)})
    turns: list[int] = []
    expected: list[int] = []
    done = 0
    for number, (before, by_it, tasks) in enumerate(steps):
        exists = is_begun or number > 0
        for _ in range(max(0, before - 1) // most if exists else 0):  # what is left is never none
            expected.append(number)
            before, done = before - most, 0
        done += (before if exists else 0) + by_it + 20 + tasks
        if done >= most:
            expected.append(number + 1)
            done = 0

    def told(now: Work | None, record: Any) -> Work:
        now = state if now is None else now
        now.happened += steps[record.number][1]
        now.jobs[len(now.jobs) + 1] = SimpleNamespace(tasks=[0] * steps[record.number][2])
        now.followed = record.number + 1
        return now

    def advance(now: Work, to_us: int, most: int) -> bool:
        if now.now_us < to_us and not now.left and now.begun < to_us:
            now.left, now.begun = steps[to_us - 1][0], to_us
        return now.advance(to_us, most)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "advance", advance)
        patch.setattr(fold, "follow", told)
        records: Any = [SimpleNamespace(number=n, t_us=n + 1) for n in range(len(steps))]
        begun: Any = state if is_begun else None
        if not is_begun:
            state.jobs, state.happened = {}, 0
        replay(records, begun, most=most, between=lambda: turns.append(state.followed))
    assert turns == expected


@given(logs())
def test_a_snapshot_gives_back_the_state_that_it_was_taken_of(records: list[Record]) -> None:
    state = replayed(records)

    assert history(stored(state)) == history(state)


@given(logs())
def test_every_command_survives_its_stored_form(records: list[Record]) -> None:
    for record in records:
        command = record.command
        data = json.loads(json.dumps(command.to_json(), allow_nan=False))

        assert decode(command.kind, command.version, data) == command


@given(logs())
def test_jobs_are_numbered_from_one_without_gaps_and_count_their_tasks(records: list[Record]) -> None:
    state = replayed(records)
    commands = [record for record in records if isinstance(record.command, JobCreated)]

    assert list(state.jobs) == list(range(1, len(commands) + 1))
    assert [job.seq for job in state.jobs.values()] == [record.seq for record in commands]
    for job in state.jobs.values():
        record = job_record(state, job)
        assert sum(record[status] for status in TaskStatus) == record["tasks"] == len(job.tasks)


@given(logs(), st.data())
def test_a_log_with_a_gap_is_refused(records: list[Record], data: st.DataObject) -> None:
    state = replayed(records)
    wrong = data.draw(st.integers(-3, 10**6).filter(lambda seq: seq != state.seq + 1))

    with pytest.raises(BrokenLogError, match=f"command {wrong} follows {state.seq}"):
        follow(state, Record(wrong, state.now_us, OptionsChanged(state.options)))


@given(logs(), st.integers(1, 10**12))
def test_a_log_whose_time_goes_back_is_refused(records: list[Record], back: int) -> None:
    state = replayed(records)

    with pytest.raises(BrokenLogError, match="already shown"):
        follow(state, Record(state.seq + 1, state.now_us - back, OptionsChanged(state.options)))


def test_an_account_that_is_opened_twice_is_refused() -> None:
    state = replayed([Record(1, START_US, opening())])

    with pytest.raises(BrokenLogError, match="opened twice"):
        follow(state, Record(2, START_US, opening()))


def test_a_log_that_does_not_begin_with_an_opening_is_refused() -> None:
    with pytest.raises(BrokenLogError, match=r"begins with account\.opened, this one with options\.changed"):
        replay(
            [Record(1, START_US, OptionsChanged(Options(1, "", 1, 0, "gcs", 1 << 30, release_scouts=False)))]
        )


def test_a_log_without_records_is_no_account() -> None:
    assert replay([]) is None


@given(logs(), delays, delays)
def test_advancing_in_two_steps_is_advancing_in_one(records: list[Record], first: int, second: int) -> None:
    state = replayed(records)
    twice = deepcopy(state)
    advance(twice, twice.now_us + first)
    advance(twice, twice.now_us + second)
    once = deepcopy(state)
    advance(once, once.now_us + first + second)

    assert history(twice) == history(once)


@given(logs(), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**6))
def test_two_advances_by_hand_end_where_their_sum_does(
    records: list[Record], first_ms: int, second_ms: int, wall_us: int
) -> None:
    def moved(seconds: Sequence[float]) -> State:
        state = replayed(records)
        for step in seconds:
            command, _ = move_clock(state, START_US + wall_us, left_us=advance_us(step))
            follow(state, Record(state.seq + 1, state.now_us, command))
        return state

    twice, once = moved([first_ms / 1000, second_ms / 1000]), moved([(first_ms + second_ms) / 1000])

    assert (twice.now_us, twice.clock, [*twice.jobs]) == (once.now_us, once.clock, [*once.jobs])


@given(anchors, st.integers(0, START_US * 2), delays)
def test_simulated_time_is_whole_and_never_goes_back(anchor: Anchor, wall_us: int, later: int) -> None:
    early, late = anchor.at(wall_us), anchor.at(wall_us + later)

    assert type(early) is int
    assert min(anchor.sim_us, LAST_US) <= early <= late <= LAST_US


@given(anchors, st.integers(0, 10**10))
def test_simulated_time_is_wall_time_times_speed(anchor: Anchor, elapsed: int) -> None:
    expected = anchor.sim_us + elapsed * anchor.speed_millionths // ONE

    assert anchor.at(anchor.wall_us + elapsed) == min(expected, LAST_US)


@given(anchors, st.integers(1, 10**12))
def test_a_wall_clock_that_stepped_back_stands_still(anchor: Anchor, back: int) -> None:
    assert anchor.at(anchor.wall_us - back) == anchor.sim_us


@given(logs(), delays, st.floats(0, 10**6))
def test_a_change_of_speed_keeps_the_time(records: list[Record], elapsed: int, speed: float) -> None:
    state = replayed(records)
    wall_us = state.clock.wall_us + elapsed
    advance(state, max(state.now_us, state.clock.at(wall_us)))
    before = state.now_us

    follow(state, Record(state.seq + 1, state.now_us, move_clock(state, wall_us, speed=speed)[0]))

    assert state.clock.at(wall_us) == state.now_us == before
    assert state.clock.speed_millionths == speed_millionths(speed)


def test_a_frozen_clock_stands_still() -> None:
    assert Anchor(START_US, START_US, 0).at(START_US * 2) == START_US


@pytest.mark.parametrize("seconds", [-1e-9, -1, -math.inf, math.inf, math.nan, 10 * 366 * 86400 + 1, 1e308])
def test_an_impossible_advance_is_refused(seconds: float) -> None:
    with pytest.raises(ClockError):
        advance_us(seconds)


@pytest.mark.parametrize("speed", [-1e-9, -1, -math.inf, math.inf, math.nan, 1_000_001])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(ClockError):
        speed_millionths(speed)


def test_no_advance_goes_beyond_the_year_9999() -> None:
    state = replayed([Record(1, LAST_US - 10 * SECOND, opening())])

    with pytest.raises(ClockError, match="year 9999"):
        move_clock(state, START_US, left_us=11 * SECOND)
    assert move_clock(state, START_US, left_us=10 * SECOND)[0].clock.sim_us == LAST_US


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_account_ids_are_long_decimal_texts_that_depend_on_the_client_id_alone(client_id: str) -> None:
    name = account_id(client_id)

    assert name == account_id(client_id)
    assert len(name) == 16
    assert name.isascii()
    assert name.isdigit()
    assert name[0] == "5"


def test_ids_are_those_that_were_given_out_before() -> None:
    """Accounts, jobs and draws of stored logs must stay what they are."""
    assert account_id("conductor-mock") == "5675032142778359"
    assert [jid(1), jid(695), jid(99_999), jid(100_000)] == ["00001", "00695", "99999", "100000"]
    assert [tid(0), tid(12), tid(1000)] == ["000", "012", "1000"]
    assert draw(1, "job", 1, "task", 2) == 5170830179498313764


@given(st.integers(), st.lists(st.integers(0, 1000) | st.sampled_from(["job", "task"]), max_size=4))
def test_a_draw_depends_on_seed_and_purpose_only(seed: int, purpose: list[int | str]) -> None:
    assert draw(seed, *purpose) == draw(seed, *purpose)
    assert 0 <= draw(seed, *purpose) < 2**64
    assert draw(seed, *purpose) != draw(seed + 1, *purpose)
    assert draw(seed, *purpose) != draw(seed, *purpose, "more")


@pytest.mark.parametrize(
    ("missing", "shown"), [(3, "/0, /1, /2"), (4, "/0, /1, /2 ..."), (9, "/0, /1, /2 ...")]
)
def test_a_job_names_three_of_its_missing_files(missing: int, shown: str) -> None:
    farm = Farm()
    farm.do(replace(farm.job(1), missing=tuple(f"/{number}" for number in range(missing))))
    record = job_record(farm.state, farm.state.jobs[1])
    assert record["status_description"] == f"{missing} files were never uploaded: {shown}"


@given(logs(), delays, st.integers(0, 10**12))
def test_a_clock_that_is_set_lets_time_pass_up_to_where_it_is(
    records: list[Record], left_us: int, speed: int
) -> None:
    state = replayed(records)
    to_us = state.now_us + left_us
    whole = deepcopy(state)
    advance(whole, to_us)
    follow(state, Record(state.seq + 1, state.now_us, ClockSet(Anchor(START_US, to_us, speed))))
    assert state.now_us == to_us
    assert [job_record(state, job) for job in state.jobs.values()] == [
        job_record(whole, job) for job in whole.jobs.values()
    ]


def test_a_job_in_a_log_that_no_server_would_have_taken_is_damage() -> None:
    state = replayed([Record(1, START_US, opening())])
    wrong = JobCreated({"command": "render", "frame_range": "x"}, "", Machine("m", 1, 0, 0, 0, 100))
    with pytest.raises(BrokenLogError, match="a job was accepted that cannot be: frame_range"):
        follow(state, Record(2, START_US, wrong))
