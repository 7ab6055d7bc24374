"""The farm to look at: every state is there, each sight is a page, and a week of simulated time lies behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.frames import parse
from conductor_mock.cli.called import called
from conductor_mock.demo.farm import DemoFarm
from conductor_mock.demo.past import Past
from conductor_mock.demo.studio import SPEED, WEEK, Sight
from conductor_mock.demo.work import Work, uneven
from conductor_mock.farm.statuses import JobStatus, TaskStatus
from conductor_mock.serving.server import AddressError
from support.control import Control
from support.programs import PATIENCE_S

DAY_S = 86_400


@dataclass(frozen=True)
class Filled:
    """A farm that was filled, and what it says is worth a look."""

    farm: DemoFarm
    sights: tuple[Sight, ...]

    @property
    def url(self) -> str:
        return self.farm.server.url

    @property
    def control(self) -> Control:
        return Control(self.url)


@pytest.fixture(scope="module")
def filled() -> Iterator[Filled]:
    farm = DemoFarm(0)
    with farm.server:
        yield Filled(farm, tuple(farm.fill()))


def test_the_farm_to_look_at_has_a_job_in_every_state(filled: Filled) -> None:
    assert {job["status"] for job in filled.control.jobs()} == set(JobStatus)


def test_every_sight_of_the_farm_is_a_page(filled: Filled) -> None:
    pages = {
        sight.path: requests.get(f"{filled.url}{sight.path}", timeout=PATIENCE_S) for sight in filled.sights
    }

    assert len(pages) >= 8
    assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(pages, 200)


def test_the_farm_shows_what_the_sights_promise(filled: Filled) -> None:
    def text(word: str) -> str:
        path = next(sight.path for sight in filled.sights if word in sight.what)
        return requests.get(f"{filled.url}{path}", timeout=PATIENCE_S).text

    assert "exit code 1" in text("failed, with its log")
    assert "no space left on device" in text("an upload that failed")
    assert "3 files were never uploaded" in text("files are missing")
    assert "wait for the scout frames 1, 20 and 40 to be approved" in text("scout frames")
    assert "preempted" in text("taken away")
    assert "503" in text("503")


def test_a_week_lies_behind_the_farm_and_its_clock_runs_fast(filled: Filled) -> None:
    jobs = filled.control.jobs()
    days = {job["created"][:10] for job in jobs}
    clock = requests.get(f"{filled.url}/_mock/clock", timeout=PATIENCE_S).json()

    assert len(days) >= 7
    assert clock["speed"] == SPEED
    live = next(job for job in jobs if job["status"] == JobStatus.RUNNING)
    counts = Counter(task["status"] for task in live["tasks"])
    assert counts[TaskStatus.SUCCESS] > 0
    assert counts[TaskStatus.PENDING] > 200, "it renders for minutes"


def test_the_week_is_told_in_its_order() -> None:
    hours = [hours_ago for hours_ago, _ in WEEK]

    assert hours == sorted(hours, reverse=True)
    assert hours[0] > 6 * 24


@given(st.integers(1, 700))
def test_uneven_rules_say_of_each_frame_once_how_long_it_takes(frames: int) -> None:
    rules = uneven(Work("shot", "step", "kim", frames, 0))
    named = [frame for rule in rules for frame in parse(rule["match"]["frames"])]

    assert sorted(named) == list(range(1, frames + 1))


@given(st.lists(st.floats(0, 24 * 365), min_size=1), st.integers(10**15, 10**16))
def test_a_past_is_as_far_behind_as_it_was_last_set(hours: list[float], real_us: int) -> None:
    past = Past(lambda: real_us)
    for each in hours:
        past.set_back(each)

    behind_us = real_us - past.now_us()
    assert abs(behind_us - hours[-1] * 3_600_000_000) <= 1


def test_a_farm_takes_another_port_only_where_none_was_asked_for(filled: Filled) -> None:
    with pytest.raises(AddressError):
        DemoFarm(filled.farm.server.port)
    first = DemoFarm()
    with first.server:
        second = DemoFarm()
        with second.server:
            assert first.server.port != second.server.port


def test_a_program_is_called_by_its_name_where_a_shell_finds_it(tmp_path: Path) -> None:
    other, own = tmp_path / "other" / "conductor-mock", tmp_path / "bin" / "conductor-mock"
    for program in (other, own):
        program.parent.mkdir()
        program.touch(mode=0o755)

    assert called(str(own), {"PATH": str(own.parent)}) == "conductor-mock"
    assert called(str(own), {"PATH": str(other.parent)}) == str(own)
    assert called(str(own), {}) == str(own)
    assert called("/somewhere/conductor_mock/__main__.py", {}) == "conductor-mock", "python -m conductor_mock"
