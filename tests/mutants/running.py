"""Runs the tests that are meant for a module once for each of its faults.

The tests are collected once, in a process of their own. For each fault that process forks: the fork gives the faulty
function its other code, wherever it is referred to, and runs the tests that come to that function; if they are few,
the others too.
What was run while the tests were collected, and what lies outside of functions, is planted as the module is imported,
by a process that collects anew; so is what no function that is there can be given, as a method that does without
`super()`. Nothing is written into the tree.
"""

from __future__ import annotations

import ast
import gc
import importlib.abc
import importlib.machinery
import os
import pickle
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from mutants.faults import Fault, planted

KILLED, SURVIVED, STUCK, NOT_REACHED = "killed", "survived", "stuck", "not reached"
"""What becomes of a fault: a test failed; all passed; they took too long; all passed, and none comes to it."""

_MEMORY_BYTES = 4 << 30
_STUCK_S = 600
_TEST_S, _TIMES = 15, 8
"""A test is stuck after this many seconds and this many times what it takes without a fault."""
_FEW = 5
"""What so few tests call may be kept by them for the others, as fixtures and caches are: all tests are run then."""
_BROKEN, _NO_FUNCTION = 70, 71  # exit codes of a fork
_OPTIONS = ("-q", "-x", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "-m", "not prove")
_Call = tuple[str, int]  # the name of a code object, and its first line


class SuiteError(Exception):
    """The tests of a module fail without any fault, or there are none."""


class NoFunctionError(LookupError):
    """A function that nothing refers to, once the tests are collected."""


@dataclass(frozen=True)
class Result:
    """What became of one fault."""

    fault: Fault
    verdict: str


def run(
    path: Path, module: str, tests: Sequence[str], faults: Sequence[Fault], log: Path
) -> Iterator[Result]:
    """Try each fault. What pytest prints goes to `log`. Raises SuiteError."""
    read_end, write_end = os.pipe()

    def report(result: Result | Fault | str) -> None:
        data = pickle.dumps(result)
        os.write(write_end, len(data).to_bytes(4, "big") + data)

    def collect_and_run() -> int:
        os.close(read_end)
        runner = _Runner(path, faults, report)
        code = int(pytest.main([*_OPTIONS, *tests], plugins=[runner]))
        if not runner.ran:
            report("its tests cannot be collected")
        return code

    pid = _forked(collect_and_run, log)
    os.close(write_end)
    anew: list[Fault] = []
    tried = 0
    with os.fdopen(read_end, "rb") as stream:
        while head := stream.read(4):
            result = pickle.loads(stream.read(int.from_bytes(head, "big")))
            if isinstance(result, str):
                raise SuiteError(f"{result}: see {log}")
            tried += 1
            if isinstance(result, Fault):
                anew.append(result)
            else:
                yield result
    _wait(pid, _STUCK_S)
    if tried < len(faults):
        raise SuiteError(f"{len(faults) - tried} faults were not tried: see {log}")
    for fault in anew:
        code = _wait(_forked(partial(_import_and_run, path, module, tests, fault), log), _STUCK_S)
        yield Result(fault, _verdict(code))


def _import_and_run(path: Path, module: str, tests: Sequence[str], fault: Fault) -> int:
    sys.meta_path.insert(0, _Finder(module, path, planted(path, fault)))
    try:
        return int(pytest.main([*_OPTIONS, *tests]))
    except Exception:  # noqa: BLE001 - what pytest finds left open in the end is a failure, too
        traceback.print_exc()
        return 1


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with its fault."""

    def __init__(self, module: str, path: Path, tree: ast.Module) -> None:
        self._module, self._path, self._tree = module, path, tree

    def find_spec(self, name: str, _path: Any, _target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._module:
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin=str(self._path))
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, str(self._path), "exec"), module.__dict__)


class _Runner:
    """The plugin of pytest that forks for each fault in place of running the tests once."""

    def __init__(self, path: Path, faults: Sequence[Fault], report: Callable[[Any], None]) -> None:
        self._file = str(path)
        self._path = path
        self._faults = faults
        self._report = report
        self._calls: set[_Call] = set()
        self.ran = False

    def pytest_configure(self) -> None:
        self._watch()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.ran = True
        sys.setprofile(None)
        if session.testsfailed or not session.items:
            self._report("its tests cannot be collected")
            return True
        at_collection = set(self._calls)
        read_end, write_end = os.pipe()
        pid = _forked(partial(self._first_run, session, write_end), None)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as stream:
            text = stream.read()
        if _wait(pid, _STUCK_S) or not text:
            self._report("its tests fail without a fault")
            return True
        reached: list[set[_Call]]
        reached, took = pickle.loads(text)
        for fault in self._faults:
            call = (fault.function.rpartition(".")[2], fault.first_line)
            if not fault.function or call in at_collection or not _can_be_given(self._path, fault):
                self._report(fault)
                continue
            chosen = sorted(
                (number for number, calls in enumerate(reached) if call in calls), key=took.__getitem__
            )
            code = self._outcome(session, fault, chosen, took)
            verdict = NOT_REACHED if code == 0 and not chosen else _verdict(code)
            self._report(Result(fault, verdict))
        return True

    def _first_run(self, session: pytest.Session, write_end: int) -> int:
        """Run all tests without a fault, and tell which functions each of them calls."""
        reached, took = [], []
        for item, following in _in_turn(session.items):
            self._calls.clear()
            self._watch()
            started = time.monotonic()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            took.append(time.monotonic() - started)
            sys.setprofile(None)
            reached.append(set(self._calls))
            if session.testsfailed:
                return 1
        with os.fdopen(write_end, "wb") as stream:
            stream.write(pickle.dumps((reached, took)))
        return 0

    def _outcome(
        self, session: pytest.Session, fault: Fault, chosen: Sequence[int], took: Sequence[float]
    ) -> int | None:
        """The exit code of a fork that has the fault, None if one of its tests is stuck."""
        order = list(chosen)
        if len(chosen) <= _FEW:
            order += sorted(set(range(len(session.items))) - set(chosen))
        read_end, write_end = os.pipe()
        pid = _forked(partial(self._with, session, fault, order, write_end), None)
        os.close(write_end)
        with os.fdopen(read_end, "rb", buffering=0) as passed:
            for number in order:
                limit_s = _TEST_S + _TIMES * took[number]
                if not select.select([passed], [], [], limit_s)[0]:
                    return _wait(pid, 0)
                if not passed.read(1):
                    return _wait(pid, _TEST_S) or 1  # it has ended within a test, whatever its code
        return _wait(pid, _TEST_S)

    def _with(self, session: pytest.Session, fault: Fault, order: Sequence[int], told: int) -> int:
        """Run these tests until one fails; say of each on a pipe that it has passed."""
        _give_other_code(self._file, fault, compile(planted(self._path, fault), self._file, "exec"))
        for item, following in _in_turn([session.items[number] for number in order]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
            os.write(told, b".")
        return 0

    def _watch(self) -> None:
        calls, file = self._calls, self._file

        def note(frame: Any, event: str, _argument: Any) -> None:
            if event == "call" and frame.f_code.co_filename == file:
                calls.add((frame.f_code.co_name, frame.f_code.co_firstlineno))

        threading.setprofile(note)
        sys.setprofile(note)


def _in_turn(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    yield from zip_longest(items, items[1:])


def _give_other_code(file: str, fault: Fault, module: CodeType) -> None:
    """Every function object that has the code of the faulty function has the faulty code from now on."""
    name = fault.function.rpartition(".")[2]
    new = _code_of(module, fault)
    changed = 0
    gc.unfreeze()  # what was frozen once the tests were collected is not among the objects
    for found in gc.get_objects():
        if isinstance(found, FunctionType):
            code = found.__code__
            if (code.co_filename, code.co_name, code.co_firstlineno) == (file, name, fault.first_line):
                found.__code__ = new
                changed += 1
    if not changed:
        raise NoFunctionError(fault.function)


def _can_be_given(path: Path, fault: Fault) -> bool:
    """Whether the faulty code has the free variables of the one that is there: a function's cells are its own."""
    whole = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    faulty = compile(planted(path, fault), str(path), "exec")
    return _code_of(whole, fault).co_freevars == _code_of(faulty, fault).co_freevars


def _code_of(module: CodeType, fault: Fault) -> CodeType:
    """The code of the function that a fault lies in."""
    wanted = (fault.function.rpartition(".")[2], fault.first_line)
    return next(code for code in _codes(module) if (code.co_name, code.co_firstlineno) == wanted)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _forked(work: Callable[[], int], log: Path | None) -> int:
    """Do some work in a fork, which leads a process group; answer its pid."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = _BROKEN
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        if log is not None:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(output, 1)
            os.dup2(output, 2)
        code = work()
    except NoFunctionError:
        code = _NO_FUNCTION
    except BaseException:  # noqa: BLE001 - it is told, and the fork ends
        traceback.print_exc()
    finally:
        os._exit(code)


def _wait(pid: int, seconds: float) -> int | None:
    """The exit code of a fork; None if it was still at work after this time, and was ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _verdict(code: int | None) -> str:
    """What an exit code means: above 1 nothing could be collected, below 0 the fork died."""
    if code is None or code == 0 or code == _NO_FUNCTION:
        return {None: STUCK, 0: SURVIVED}.get(code, NOT_REACHED)
    if code == _BROKEN:
        raise SuiteError("a fork ended with an error")
    return KILLED
