"""What the three command lines share: help, near names, completion, whole sentences, exit codes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.cli import cli
from conductor.commands import failures, printing, wait
from conductor.lib import exceptions
from conductor_contracts import groups
from conductor_contracts.cli import main as contracts
from conductor_contracts.commands.verify import TIMED_OUT
from conductor_mock.cli import main as mock
from conductor_mock.cli.unusable import UNUSABLE
from conductor_mock.commands.clock import HoldsError
from conductor_mock.commands.target import RefusedError, UnreachableError
from conductor_mock.demo.quick import owner

PROGRAMS: dict[str, click.Group] = {
    "conductor": cli,
    "conductor-mock": mock,
    "conductor-contracts": contracts,
}
TABLE = Path(__file__).parents[2] / "docs" / "reference" / "exit-codes.md"


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, with the words that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))


COMMANDS = [
    (program, path, command) for program, group in PROGRAMS.items() for path, command in walk(group, ())
]
GROUPS = [(program, (), group) for program, group in PROGRAMS.items()] + [
    (program, path, command) for program, path, command in COMMANDS if isinstance(command, click.Group)
]
IDS = [" ".join((program, *path)) for program, path, _ in COMMANDS]


@pytest.mark.parametrize(("program", "path", "command"), COMMANDS, ids=IDS)
def test_every_command_has_help_by_both_names_and_it_is_in_whole_sentences(
    program: str, path: tuple[str, ...], command: click.Command
) -> None:
    short, long = (CliRunner().invoke(PROGRAMS[program], [*path, name]) for name in ("-h", "--help"))
    assert short.exit_code == long.exit_code == 0
    assert short.output == long.output
    assert short.output.startswith("Usage: ")
    texts = [
        command.help or "",
        *(option.help or "" for option in command.params if isinstance(option, click.Option)),
    ]
    for text in texts:
        first = re.sub(r"\s+\[[^\]]*\]$", "", text.partition("\n\n")[0].strip())
        assert first[:1].isupper() or first[:1].isdigit(), text
        assert first.endswith((".", ":", ")")), text


@settings(max_examples=150)
@given(data=st.data())
def test_a_misspelt_command_is_answered_with_one_that_there_is(data: st.DataObject) -> None:
    program, path, group = data.draw(st.sampled_from(GROUPS))
    assert isinstance(group, click.Group)
    names = group.list_commands(click.Context(group))
    name = data.draw(st.sampled_from([name for name in names if len(name) > 3] or names))
    place = data.draw(st.integers(1, len(name) - 1))
    wrong = name[:place] + data.draw(st.sampled_from(["", "x"])) + name[place + 1 :]
    if wrong in names:
        return
    answer = CliRunner().invoke(PROGRAMS[program], [*path, wrong])
    assert answer.exit_code == 2
    suggested = re.search(r"No such command '[^']*'\. Did you mean '([^']*)'\?", answer.output)
    if len(name) > 4:
        assert suggested, answer.output
    if suggested:
        assert suggested[1] in names


@pytest.mark.parametrize(
    ("program", "words", "meant"),
    [
        ("conductor", ["jobs", "--lmit", "3"], "--limit"),
        ("conductor", ["--quit", "jobs"], "--quiet"),
        ("conductor", ["submit", "--job-titel", "x"], "--job-title"),
        ("conductor-mock", ["serve", "--epheremal"], "--ephemeral"),
        ("conductor-mock", ["faults", "add", "--operaton", "jobs.create"], "--operation"),
        ("conductor-mock", ["clock", "show", "--jsn"], "--json"),
        ("conductor-contracts", ["verify", "--safe-ony"], "--safe-only"),
    ],
)
def test_a_misspelt_option_is_answered_with_the_near_one(program: str, words: list[str], meant: str) -> None:
    answer = CliRunner().invoke(PROGRAMS[program], words)
    assert answer.exit_code == 2
    assert meant in answer.output


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", groups.SHELLS)
def test_every_program_is_completed_in_every_shell(program: str, shell: str) -> None:
    answer = CliRunner().invoke(PROGRAMS[program], ["completion", shell], prog_name=program)
    assert answer.exit_code == 0
    assert f"_{program.replace('-', '_').upper()}_COMPLETE" in answer.output


@pytest.mark.parametrize(("program", "path", "command"), COMMANDS, ids=IDS)
def test_what_lists_something_lists_it_as_json_too(
    program: str, path: tuple[str, ...], command: click.Command
) -> None:
    lists = re.match(r"(List|Show)\b", command.help or "") and not isinstance(command, click.Group)
    if lists:
        assert "--json" in {name for option in command.params for name in option.opts}


def codes() -> dict[str, set[int]]:
    """The codes of the table, for each program."""
    rows = [
        line.strip("| \n").split("|")
        for line in TABLE.read_text(encoding="utf-8").splitlines()
        if line[:2] == "| "
    ]
    head = [cell.strip(" `") for cell in rows[0]][1:]
    cells = [[cell.strip() for cell in f"{'|'.join(row)}".split("|")] for row in rows[1:]]
    assert all(len(row) <= len(head) + 1 for row in cells)
    return {
        name: {int(row[0]) for row in cells if len(row) > place + 1 and row[place + 1]}
        for place, name in enumerate(head)
    }


def test_the_table_of_exit_codes_has_those_of_the_code_and_no_other() -> None:
    errors = {
        value.exit_code
        for value in vars(exceptions).values()
        if isinstance(value, type) and issubclass(value, exceptions.ConductorError)
    }
    shared = {0, 1, 2, printing.BROKEN_PIPE, failures.INTERRUPTED}
    signals = {128 + number for number in (1, 15)}
    assert (failures.INTERRUPTED, printing.BROKEN_PIPE) == (groups.INTERRUPTED, 141)
    assert codes() == {
        "conductor": shared | errors | {failures.FAILED, wait.FAILED, wait.KILLED},
        "conductor-mock": shared
        | signals
        | {UNUSABLE, HoldsError.exit_code, RefusedError.exit_code, UnreachableError.exit_code},
        "conductor-contracts": shared | signals | {TIMED_OUT},
    }


@pytest.mark.parametrize("package", ["conductor", "conductor_mock", "conductor_contracts"])
def test_ctrl_c_while_its_parts_are_imported_ends_a_program_without_a_traceback(package: str) -> None:
    script = (
        "import builtins, runpy, sys\n"
        "real = builtins.__import__\n"
        "def interrupted(name, *rest, **more):\n"
        "    if name == 'click':\n"
        "        raise KeyboardInterrupt\n"
        "    return real(name, *rest, **more)\n"
        "builtins.__import__ = interrupted\n"
        f"runpy.run_module('{package}.__main__', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_demo_has_an_owner_where_the_system_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "kim")
    assert owner() == {}

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert owner() == {"CONDUCTOR_OWNER": "demo"}
