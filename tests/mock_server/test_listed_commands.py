"""The programs load a command when it is called, and those that ask a server load nothing that serves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import click
import pytest
from click.testing import CliRunner

import conductor_mock.cli
import conductor_mock.commands
from conductor_contracts import commands as contracts_commands
from conductor_contracts.cli import COMMANDS as OF_CONTRACTS
from conductor_contracts.cli import main as contracts
from conductor_contracts.listed import Listed
from conductor_mock.cli import main as mock
from conductor_mock.cli.program import COMMANDS as OF_MOCK
from conductor_mock.commands import COMMANDS as ASKING
from support.served import served

PROGRAMS = {"conductor_mock": (mock, OF_MOCK), "conductor_contracts": (contracts, OF_CONTRACTS)}

SERVING = (
    *("cheroot", "flask", "jsonschema_rs", "re2", "sqlalchemy", "sqlite3", "werkzeug"),
    *(f"conductor_mock.{room}" for room in ("api", "app", "auth", "control", "data_directory", "dashboard", "farm")),
    *(f"conductor_mock.{room}" for room in ("inprocess", "service", "upkeep", "workers")),
    *("conductor_mock.serving.server", "conductor_mock.store.database"),
)  # fmt: skip
"""What makes a server: frameworks, and what decides. A command that asks one does without."""

NETWORK = ("requests", "urllib3", "yaml")

CALLS = {
    "bundle": ["bundle", "save", "a.bundle"],
    "catalog": ["catalog"],
    "clock": ["clock", "advance", "1"],
    "faults": ["faults", "add", "--operation", "jobs.create"],
    "files": ["files"],
    "jobs": ["jobs"],
    "mails": ["mails"],
    "options": ["options"],
    "outcomes": ["outcomes", "add", "failed"],
    "requests": ["requests"],
    "reset": ["reset"],
}
"""One for each command that asks a server."""

PROGRAM = """
import sys
from conductor_mock.__main__ import main
banned = tuple(sys.argv.pop(1).split(","))
def serves(name):
    return any(name == one or name.startswith(one + ".") for one in banned)
for call in sys.argv.pop(1).split(";"):
    sys.argv[1:] = call.split()
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    print(call, code, *sorted(filter(serves, sys.modules)), sep="|", file=sys.stderr)
"""


def loaded(calls: list[str], banned: tuple[str, ...], folder: Path, program: str = PROGRAM) -> list[str]:
    """Of each call, made one after another in a fresh process: itself, its exit code and what of `banned` is loaded."""
    words = [sys.executable, "-c", program, ",".join(banned), ";".join(calls)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=folder)
    return [line for line in done.stderr.splitlines() if "|" in line]


def test_a_command_that_asks_a_server_loads_nothing_that_serves(tmp_path: Path) -> None:
    assert CALLS.keys() == ASKING.keys()
    with served(tmp_path, "--speed", "0", data_dir=False) as fake:
        fake.session().close()  # the account begins with its first token
        calls = [" ".join([*words, "--url", fake.url]) for words in CALLS.values()]
        calls.append(f"env --ready-file {fake.ready_file} --json")
        assert loaded(calls, SERVING, tmp_path) == [f"{call}|0" for call in calls]


def test_help_and_version_load_no_command_and_no_network(tmp_path: Path) -> None:
    calls = ["--version", "--help", "completion bash", "serve --help", "run -h"]
    assert loaded(calls, (*SERVING, *NETWORK), tmp_path) == [f"{call}|0" for call in calls]


def test_help_of_the_contracts_loads_no_contract(tmp_path: Path) -> None:
    calls = ["--version", "--help", "completion bash"]
    banned = ("conductor_contracts.contract", "conductor_contracts.commands", "jsonschema_rs", *NETWORK)
    program = PROGRAM.replace("conductor_mock", "conductor_contracts")
    assert loaded(calls, banned, tmp_path, program) == [f"{call}|0" for call in calls]


def test_what_serves_is_seen_when_it_is_loaded(tmp_path: Path) -> None:
    (line,) = loaded(["prune --dry-run --data-dir nowhere"], SERVING, tmp_path)
    assert "|sqlalchemy|" in line


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_listed_command_is_where_the_list_says_and_what_it_says(program: str) -> None:
    group, listed = PROGRAMS[program]
    assert len(listed) > 10
    for name, line in listed.items():
        command = group.commands[name]
        assert (name, line.help) == (command.name, command.get_short_help_str(limit=1000))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_group_within_a_program_lists_whole_sentences(program: str) -> None:
    group, listed = PROGRAMS[program]
    for name in listed:
        inner = group.commands[name]
        if isinstance(inner, click.Group):
            shown = " ".join(CliRunner().invoke(group, [name, "--help"]).output.split())
            assert [
                one for one in inner.commands.values() if one.get_short_help_str(limit=1000) not in shown
            ] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_of_a_module_is_listed_or_belongs_to_a_group(program: str) -> None:
    group, listed = PROGRAMS[program]
    of_list = {group.commands[name] for name in listed}
    inner = {
        one for command in of_list if isinstance(command, click.Group) for one in command.commands.values()
    }
    written = {
        value
        for module in modules_of(listed)
        for value in vars(module).values()
        if isinstance(value, click.Command) and value is not group
    }
    assert written - inner == of_list


def modules_of(listed: Mapping[str, Listed]) -> list[object]:
    """The modules that lie where those commands lie."""
    ours = (conductor_mock.cli, conductor_mock.commands)
    packages = ours if listed is OF_MOCK else (contracts_commands,)
    found = [f"{one.__name__}.{module.name}" for one in packages for module in iter_modules(one.__path__)]
    return [import_module(name) for name in (*found, "conductor_contracts.groups")]


def test_completion_offers_the_listed_commands_and_options() -> None:
    # A command keeps the option of its help as it is made with the first context, so it is given that of the program.
    ctx = click.Context(mock, info_name="conductor-mock", **mock.context_settings)
    assert [item.value for item in mock.shell_complete(ctx, "re")] == ["requests", "reset"]
    assert [item.help for item in mock.shell_complete(ctx, "env")] == [OF_MOCK["env"].help]
    assert [item.value for item in mock.shell_complete(ctx, "--v")] == ["--version"]
    assert {item.value for item in mock.shell_complete(ctx, "")} == set(OF_MOCK)
