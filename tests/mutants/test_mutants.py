"""The tool that plants faults: which it makes, what it says of them, and that its tables name what there is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mutants.__main__ import ROOT, module_name, read
from mutants.faults import faults_of, planted

TABLES = read("modules.yaml")
EQUIVALENT = read("equivalent.yaml")

SOURCE = '''
"""A docstring with 3 words."""
from contextlib import suppress

LIMIT = 10


def kept(values, lock, note):
    """Those that are kept."""
    with lock:
        note("called")
    if not values or len(values) > LIMIT:
        raise ValueError(f"{len(values)} are too many")
    return [value + 1 for value in values if value != "x"]
'''


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "planted_on.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path / "planted_on.py"


def test_each_fault_is_one_that_people_make(module: Path) -> None:
    assert {fault.key for fault in faults_of(module)} == {
        "module: 10 -> 11",
        "kept: with lock -> no with",
        "kept: note('called') -> pass",
        "kept: 'called' -> 'calledX'",
        "kept: not values or len(values) > LIMIT -> not values",
        "kept: not values or len(values) > LIMIT -> len(values) > LIMIT",
        "kept: not values -> values",
        "kept: len(values) > LIMIT -> len(values) >= LIMIT",
        "kept: raise ValueError(f'{len(values)} are too many') -> pass",
        "kept: return [value + 1 for value in values if value != 'x'] -> return",
        "kept: value + 1 -> value - 1",
        "kept: 1 -> 2",
        "kept: value != 'x' -> value == 'x'",
        "kept: 'x' -> 'xX'",
    }


def test_a_planted_module_has_its_fault_and_its_lines(module: Path) -> None:
    whole = compile(SOURCE, "m", "exec")
    for fault in faults_of(module):
        code = compile(planted(module, fault), "m", "exec")
        assert code.co_firstlineno == whole.co_firstlineno
        assert code.co_code + repr(code.co_consts).encode() != whole.co_code + repr(whole.co_consts).encode()


def test_what_the_tests_of_a_module_let_through_is_told(module: Path, tmp_path: Path) -> None:
    """One fault of each fate; the tests come to the function through a decorator's copy of it, and the
    collector passes over what was there when they were collected, as in our own suite.
    """
    module.write_text(
        "import os\n\n\ndef wrapped(function):\n    return lambda value: function(value)\n\n\n"
        "@wrapped\ndef larger(value):\n    return value > 3\n\n\n"
        "def unused():\n    return 1\n\n\nLIMIT = 5\n\n\n"
        "def ends(event):\n    event.set()\n    return event.wait()\n\n\n"
        "def forked(pid):\n    if not pid:\n        os._exit(0)\n\n\n"
        "class Noted(list):\n    def __init__(self, *values):\n        super().__init__(values)\n",
        encoding="utf-8",
    )
    (tmp_path / "test_it.py").write_text(
        "from threading import Event\n\nfrom planted_on import LIMIT, Noted, ends, forked, larger\n\n\n"
        "def test_it():\n    assert larger(5) and not larger(2)\n\n\ndef test_ends():\n    assert ends(Event())\n\n\n"
        "def test_forked():\n    forked(1)\n\n\n"
        "def test_limit():\n    assert LIMIT == 5\n\n\ndef test_noted():\n    assert Noted(1) == [1]\n",
        encoding="utf-8",
    )
    program = (
        "from pathlib import Path\nfrom mutants.faults import faults_of\nfrom mutants.running import run\n"
        "from mutants import running\n"
        "running._TEST_S = 1\n"
        "path = Path('planted_on.py').resolve()\n"
        "for one in run(path, 'planted_on', ['test_it.py'], faults_of(path), Path('log')):\n"
        "    print(one.verdict, one.fault.key, sep=': ')\n"
    )
    (tmp_path / "conftest.py").write_text(
        "import gc\n\n\ndef pytest_collection_finish():\n    gc.freeze()\n", encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{tmp_path}"}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    assert set(ran.stdout.splitlines()) == {
        "killed: larger: return value > 3 -> return",
        "survived: larger: value > 3 -> value >= 3",
        "survived: larger: 3 -> 4",
        "not reached: unused: return 1 -> return",
        "not reached: unused: 1 -> 2",
        "stuck: ends: event.set() -> pass",
        "killed: ends: return event.wait() -> return",
        "killed: forked: not pid -> pid",
        "survived: forked: os._exit(0) -> pass",
        "survived: forked: 0 -> 1",
        "killed: module: 5 -> 6",
        "killed: Noted.__init__: super().__init__(values) -> pass",
        "killed: wrapped: return lambda value: function(value) -> return",
    }


@pytest.mark.parametrize("module", TABLES["tests"])
def test_modules_and_their_tests_are_there(module: str) -> None:
    assert (ROOT / module).is_file()
    assert TABLES["tests"][module]
    assert all((ROOT / test).is_file() for test in TABLES["tests"][module])
    assert not module_name(module).startswith(("client", "mock_server", "contracts"))


def test_of_faults_that_are_called_the_same_each_can_be_meant_alone(tmp_path: Path) -> None:
    module = tmp_path / "twice.py"
    module.write_text("def both(a):\n    a.close()\n    a.close()\n")
    first, second = (fault for fault in faults_of(module) if fault.kind == "left out")
    assert first.key == second.key == "both: a.close() -> pass"
    assert first.is_among([first.key])
    assert second.is_among([first.key])
    assert not first.is_among(["both: a.close() -> pass (2)"])
    assert second.is_among(["both: a.close() -> pass (2)"])


@pytest.mark.parametrize("module", EQUIVALENT)
def test_a_fault_that_is_called_equivalent_can_be_made_and_has_its_reason(module: str) -> None:
    assert module in TABLES["tests"]
    faults = faults_of(ROOT / module)
    assert set(EQUIVALENT[module]) <= {key for fault in faults for key in (fault.key, fault.exact_key)}
    assert all(reason.strip() for reason in EQUIVALENT[module].values())
