"""What a test asserts of a fake. Each failure shows what was there instead."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from conductor_contracts.problems import count, nearest
from conductor_mock.testkit.listing import folded
from conductor_mock.testkit.named_paths import is_below, is_something, local_paths, with_slashes
from conductor_mock.testkit.outcomes import Outcomes
from conductor_mock.testkit.steering import Faults
from conductor_mock.testkit.values import File, Job, Request


class Assertions(ABC):
    """The assertions of a `Fake`, which says what there is."""

    faults: Faults
    outcomes: Outcomes

    @property
    @abstractmethod
    def jobs(self) -> list[Job]:
        """Every job, oldest first."""

    @abstractmethod
    def job(self, jid: str | int) -> Job:
        """One job."""

    @property
    @abstractmethod
    def files(self) -> list[File]:
        """Every path that was declared for upload and whose content is held."""

    @abstractmethod
    def requests(self, operation: str | None = None) -> list[Request]:
        """What was asked, oldest first."""

    @abstractmethod
    def _journal(self, operation: str | None = None) -> tuple[list[Request], int]:
        """What was asked, oldest first, and how many requests of the account are not told any more."""

    @property
    @abstractmethod
    def strays(self) -> list[Request]:
        """What matched no operation, and nobody knows whose it was."""

    def assert_called(self, operation: str, times: int | None = None) -> None:
        """An operation was asked for: so many times, or at least once. Answered or not, refused or not."""
        __tracebackhide__ = True
        asked, forgotten = self._journal(operation)
        if times is not None or not asked:
            _assert_none_forgotten(forgotten)
        if (times is None and not asked) or (times is not None and len(asked) != times):
            wanted = "at least once" if times is None else count(times, "time")
            raise AssertionError(
                f"{operation} was asked for {count(len(asked), 'time')}, not {wanted}; {self._asked()}"
            )

    def assert_not_called(self, operation: str) -> None:
        """An operation was not asked for."""
        __tracebackhide__ = True
        self.assert_called(operation, times=0)

    def assert_uploaded(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        """Each of these paths was declared, and its content is held."""
        __tracebackhide__ = True
        held = sorted(file.path for file in self.files)
        missing = [path for path in map(with_slashes, _several(paths)) if path not in held]
        if missing:
            raise AssertionError(f"not uploaded: {_list(missing)}; uploaded: {_list(held)}")

    def assert_commands_uploaded(self) -> None:
        """Each file of this machine that a task's command names was uploaded, and something of each folder.

        Not meant are programs (what lies in `/usr`, `/opt` and the like), the job's output path and what is below it,
        and names with a marker of frames. Holds for no jobs only where there is none: AssertionError then, too.
        """
        __tracebackhide__ = True
        jobs = self.jobs
        if not jobs:
            raise AssertionError(f"there is no job whose commands could be looked at; {self._asked()}")
        held = [file.path for file in self.files]
        missing = [
            f"{path}, which task {task.tid} of job {job.jid} names: {task.command[:200]}"
            for job in jobs
            for task in job.tasks
            for path in local_paths(task.command, str(job.payload.get("output_path") or ""))
            if not any(is_below(one, path) for one in held) and is_something(path)
        ]
        if missing:
            raise AssertionError(f"not uploaded:\n{_lines(missing)}\nuploaded: {_list(sorted(held))}")

    def assert_no_warnings(self) -> None:
        """Nothing that was asked is odd by the contract or the catalogue."""
        __tracebackhide__ = True
        self._assert_no_warnings_of(self.requests())

    def assert_no_invalid_requests(self) -> None:
        """Every request matched an operation and was as the contract has it; those that met a fault aside."""
        __tracebackhide__ = True
        self._assert_none_invalid_of(self.requests())

    def _assert_none_invalid_of(self, requests: list[Request]) -> None:
        __tracebackhide__ = True
        asked = (*requests, *self.strays)
        found = [f"{request}: {request.reason}" for request in asked if request.is_invalid]
        if found:
            raise AssertionError(f"there {_are(len(found), 'invalid request')}:\n{_lines(found)}")

    def assert_rules_used(self) -> None:
        """Every fault was met by a request, and every rule for outcomes decided an attempt."""
        __tracebackhide__ = True
        unused = [str(rule) for rule in self.faults.all if rule.consumed == 0]
        unused += [str(rule) for rule in self.outcomes.all if rule.consumed == 0]
        if unused:
            raise AssertionError(f"never used: {'; '.join(unused)}")

    def assert_exactly_once(self, times: int | None = None) -> None:
        """Every submission became one job, however often it was sent and whatever was lost on the way.

        Submissions are told apart by their `Idempotency-Key`, where there is none by the bytes of their bodies; `times`
        is how many jobs there should be, for whoever submits the same more than once on purpose.
        """
        __tracebackhide__ = True
        asked, forgotten = self._journal("jobs.create")
        _assert_none_forgotten(forgotten)
        made: dict[str, list[str]] = defaultdict(list)
        for request in asked:
            identity = request.key or request.sha256
            if identity is None:  # a fault came before its body was read
                continue
            jobids = made[identity]
            if request.status == 201 and request.answer["jobid"] not in jobids:
                jobids.append(request.answer["jobid"])
        jobs = sorted(jobid for jobids in made.values() for jobid in jobids)
        wrong = [jobids for jobids in made.values() if len(jobids) != 1]
        if (times is None and (wrong or not made)) or (times is not None and len(jobs) != times):
            wanted = "one job of each submission" if times is None else count(times, "job")
            raise AssertionError(
                f"wanted {wanted}: {count(len(made), 'submission')} became {_list(jobs)};\n{_lines(map(str, asked))}"
            )

    def assert_job(self, jid: str | int, **expected: Any) -> None:
        """A job has this `status`, and these fields in its payload. Objects may have more than is expected."""
        __tracebackhide__ = True
        job = self.job(jid)
        has = {**job.payload, "status": job.status}
        wrong = [
            f"{name}: expected {value!r}, has {has[name]!r}"
            if name in has
            else f"{name}: expected {value!r}, has none{_meant(name, has)}"
            for name, value in expected.items()
            if name not in has or not _fits(value, has[name])
        ]
        if wrong:
            raise AssertionError(
                f"job {job.jid} ({job.status}, {job.description}) is not as expected:\n{_lines(wrong)}"
            )

    def leftovers(
        self, *, allow_unused: bool = False, allow_invalid: bool = False, allow_warnings: bool = False
    ) -> list[str]:
        """What the fixtures fail a test for at its end, each with the option of the marker that allows it."""
        requests = self.requests()
        checks = {
            "allow_unused": (allow_unused, self.assert_rules_used),
            "allow_invalid": (allow_invalid, lambda: self._assert_none_invalid_of(requests)),
            # What is said of an invalid request is said with it, and allowed with it.
            "allow_warnings": (
                allow_warnings,
                lambda: self._assert_no_warnings_of([one for one in requests if not one.is_invalid]),
            ),
        }
        found = []
        for option, (is_allowed, check) in checks.items():
            if not is_allowed:
                try:
                    check()
                except AssertionError as error:
                    found.append(f"{error}\n({option}=True for a test that may)")
        return found

    def _assert_no_warnings_of(self, requests: list[Request]) -> None:
        __tracebackhide__ = True
        found = [f"{request}: {text}" for request in requests for text in request.warnings]
        if found:
            raise AssertionError(f"there {_are(len(found), 'warning')}:\n{_lines(found)}")

    def _asked(self) -> str:
        return f"what was asked:\n{_lines(map(str, self.requests())) or '    nothing'}"


def _assert_none_forgotten(number: int) -> None:
    __tracebackhide__ = True
    if number:
        raise AssertionError(f"nobody can tell: {forgotten_words(number)}")


def forgotten_words(number: int) -> str:
    """What is said where the journal has forgotten so many requests."""
    return (
        f"the journal has forgotten the first {count(number, 'request')} of this account, to make room for later ones "
        "of whatever account; fake.reset() begins a new one, and a server of its own is not shared"
    )


def _are(number: int, noun: str) -> str:
    return f"{'is' if number == 1 else 'are'} {count(number, noun)}"


def _several(paths: Iterable[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)


def _meant(name: str, known: Iterable[str]) -> str:
    meant = nearest(name, list(known))
    return "" if meant is None else f"; did you mean {meant!r}?"


def _fits(expected: Any, found: Any) -> bool:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return all(name in found and _fits(value, found[name]) for name, value in expected.items())
    return bool(expected == found)


def _list(items: list[str]) -> str:
    return ", ".join(items) or "nothing"


def _lines(items: Iterable[str]) -> str:
    return "\n".join(f"    {item}" for item in folded(items))
