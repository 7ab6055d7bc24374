"""The fake in a test's hands: what it holds, and what is asserted of it. `steering` moves it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from conductor_contracts.contract import Contract
from conductor_contracts.contract import load as load_contract
from conductor_contracts.problems import advice, count
from conductor_mock.testkit.control import Control
from conductor_mock.testkit.steering import Clock, Faults, Outcomes
from conductor_mock.testkit.values import Account, File, Job, Request

ALL = "10000"
"""So many entries the journal gives at once."""


class Fake:
    """One account of a fake service. Whatever it answers is as things are at that moment."""

    def __init__(self, control: Control, environment: Mapping[str, str]) -> None:
        self._control = control
        self.environment = dict(environment)
        """The variables that point programs here."""
        self.clock = Clock(control)
        self.faults = Faults(control)
        self.outcomes = Outcomes(control)

    @property
    def url(self) -> str:
        """The origin of the service."""
        return self._control.url

    @property
    def account(self) -> Account:
        """The account, with its key."""
        return self._control.account

    # What it holds

    @property
    def jobs(self) -> list[Job]:
        """Every job, oldest first."""
        return [Job.of(record) for record in self._control.ask("GET", "jobs")["jobs"]]

    def job(self, jid: str) -> Job:
        """One job. Raises ControlError where there is none of that id."""
        return Job.of(self._control.ask("GET", f"jobs/{jid}"))

    @property
    def files(self) -> list[File]:
        """Every path that was declared for upload and whose content is held."""
        return [File(**record) for record in self._control.ask("GET", "files")["files"]]

    def requests(self, operation: str | None = None) -> list[Request]:
        """What was asked, oldest first; only of one operation by its id, such as "jobs.create".

        Raises ValueError for an operation that the contract does not have.
        """
        query = {} if operation is None else {"operation": known_operation(operation)}
        entries = self._control.ask("GET", "requests", limit=ALL, **query)["requests"]
        return [Request.of(entry) for entry in entries]

    def reset(self) -> None:
        """As new: no jobs, files, faults, outcomes or requests; tokens stay valid."""
        self._control.ask("POST", "reset", {})

    # What is asserted of it

    def assert_called(self, operation: str, times: int | None = None) -> None:
        """An operation was asked for: so many times, or at least once. Answered or not, refused or not."""
        __tracebackhide__ = True
        asked = self.requests(operation)
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
        missing = [path for path in map(_on_the_wire, _several(paths)) if path not in held]
        if missing:
            raise AssertionError(f"not uploaded: {_list(missing)}; uploaded: {_list(held)}")

    def assert_no_warnings(self) -> None:
        """Nothing that was asked, and no job, is odd by the contract or the catalogue."""
        __tracebackhide__ = True
        found = [f"{request}: {text}" for request in self.requests() for text in request.warnings]
        if found:
            raise AssertionError(f"there are {count(len(found), 'warning')}:\n{_lines(found)}")

    def assert_exactly_once(self, times: int | None = None) -> None:
        """Every submission became one job, however often it was sent and whatever was lost on the way.

        Submissions are told apart by their `Idempotency-Key`, where there is none by the bytes of their bodies; `times`
        is how many jobs there should be, for whoever submits the same more than once on purpose.
        """
        __tracebackhide__ = True
        made: dict[str, list[str]] = defaultdict(list)
        asked = self.requests("jobs.create")
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

    def assert_job(self, jid: str, **expected: Any) -> None:
        """A job has this `status`, and these fields in its payload. Objects may have more than is expected."""
        __tracebackhide__ = True
        job = self.job(jid)
        has = {**job.payload, "status": job.status}
        wrong = [
            f"{name}: expected {value!r}, has {has[name]!r}"
            if name in has
            else f"{name}: expected {value!r}, has none"
            for name, value in expected.items()
            if name not in has or not _fits(value, has[name])
        ]
        if wrong:
            raise AssertionError(
                f"job {job.jid} ({job.status}, {job.description}) is not as expected:\n{_lines(wrong)}"
            )

    def _asked(self) -> str:
        return f"what was asked:\n{_lines(map(str, self.requests())) or '    nothing'}"


def known_operation(name: str, contract: Contract | None = None) -> str:
    """An operation id of the contract. Raises ValueError with the one that was probably meant."""
    known = (contract or load_contract()).operations
    if name in known:
        return name
    raise ValueError(f"the contract has no operation {name!r}{advice(name, known)}")


def _several(paths: Iterable[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)


def _on_the_wire(path: str | os.PathLike[str]) -> str:
    return os.fspath(path).replace("\\", "/")


def _fits(expected: Any, found: Any) -> bool:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return all(name in found and _fits(value, found[name]) for name, value in expected.items())
    return bool(expected == found)


def _list(items: list[str]) -> str:
    return ", ".join(items) or "nothing"


def _lines(items: Iterable[str]) -> str:
    return "\n".join(f"    {item}" for item in items)
