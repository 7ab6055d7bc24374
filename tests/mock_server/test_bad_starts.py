"""Starts that cannot be: each is one sentence, exit code 2, and nothing left behind."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conductor_mock.app import create_app
from conductor_mock.settings import Settings, SettingsError
from support.namespaces import NAMESPACE, needs_namespaces
from support.served import PATIENCE_S, command, run_cli, said_by

Prepare = Callable[[Path], tuple[list[str], dict[str, str]]]


def _a_file(folder: Path) -> Path:
    path = folder / "file"
    path.write_text("text")
    return path


def _a_loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def _a_text_as(name: str, folder: Path) -> Path:
    (folder / "data").mkdir()
    (folder / "data" / name).write_text("no such format" * 100)
    return folder / "data"


def _a_folder_as(name: str, folder: Path) -> Path:
    (folder / "data" / name).mkdir(parents=True)
    return folder / "data"


NOTHING: dict[str, str] = {}
STARTS: dict[str, Prepare] = {
    "a host without a name": lambda _: (["--ephemeral", "--host", ""], NOTHING),
    "a host that does not resolve": lambda _: (["--ephemeral", "--host", "no.such.host.invalid"], NOTHING),
    "a host that is no name": lambda _: (["--ephemeral", "--host", "a" * 300 + ".b"], NOTHING),
    "a host with a blank": lambda _: (["--ephemeral", "--host", "a b"], NOTHING),
    "a host of somebody else": lambda _: (["--ephemeral", "--host", "192.0.2.1"], NOTHING),
    "a port out of range": lambda _: (["--ephemeral", "--port", "65536"], NOTHING),
    "a port below zero": lambda _: (["--ephemeral", "--port", "-1"], NOTHING),
    "a seed below zero": lambda _: (["--ephemeral", "--seed", "-1"], NOTHING),
    "a seed that nothing can hold": lambda _: (["--ephemeral", "--seed", str(1 << 62)], NOTHING),
    "a port that is no number": lambda _: (["--ephemeral", "--port", "http"], NOTHING),
    "a data directory that is a file": lambda folder: (["--data-dir", str(_a_file(folder))], NOTHING),
    "a data directory below a file": lambda folder: (["--data-dir", str(_a_file(folder) / "x")], NOTHING),
    "a data directory that is a loop": lambda folder: (["--data-dir", str(_a_loop(folder))], NOTHING),
    "a data directory of the kernel": lambda _: (["--data-dir", "/proc/self"], NOTHING),
    "a data directory that is a device": lambda _: (["--data-dir", "/dev/null"], NOTHING),
    "a data directory with a long name": lambda folder: (["--data-dir", str(folder / ("x" * 300))], NOTHING),
    "a database that is none": lambda folder: (
        ["--data-dir", str(_a_text_as("conductor.db", folder))],
        NOTHING,
    ),
    "a database that is a folder": lambda folder: (
        ["--data-dir", str(_a_folder_as("conductor.db", folder))],
        NOTHING,
    ),
    "a lock that is a folder": lambda folder: (["--data-dir", str(_a_folder_as("lock", folder))], NOTHING),
    "keys that are none": lambda folder: (["--data-dir", str(_a_text_as("keys.json", folder))], NOTHING),
    "keys that are a folder": lambda folder: (
        ["--data-dir", str(_a_folder_as("keys.json", folder))],
        NOTHING,
    ),
    "objects that are a file": lambda folder: (["--data-dir", str(_a_text_as("objects", folder))], NOTHING),
    "parts that are a file": lambda folder: (["--data-dir", str(_a_text_as("parts", folder))], NOTHING),
    "incoming that is a file": lambda folder: (["--data-dir", str(_a_text_as("incoming", folder))], NOTHING),
    "a ready file in no folder": lambda _: (["--ephemeral", "--ready-file", "/no/where"], NOTHING),
    "a ready file that is a folder": lambda folder: (["--ephemeral", "--ready-file", str(folder)], NOTHING),
    "a ready file below a file": lambda folder: (
        ["--ephemeral", "--ready-file", str(_a_file(folder) / "r")],
        NOTHING,
    ),
    "a ready file that is a loop": lambda folder: (
        ["--ephemeral", "--ready-file", str(_a_loop(folder))],
        NOTHING,
    ),
    "a catalogue that is a folder": lambda folder: (["--ephemeral", "--catalog", str(folder)], NOTHING),
    "a catalogue that is no text": lambda _: (["--ephemeral", "--catalog", sys.executable], NOTHING),
    "faults that are no text": lambda _: (["--ephemeral", "--faults", sys.executable], NOTHING),
    "a mail server that is none": lambda _: (["--ephemeral", "--smtp", "smtp://h:port"], NOTHING),
    "a database URL with a bad port": lambda _: (["--database-url", "postgresql://u:s3cret@h:x/d"], NOTHING),
    "a database URL without its driver": lambda _: (
        ["--database-url", "postgresql+pg8000://u:s3cret@h/d"],
        NOTHING,
    ),
    "a time that is no number": lambda _: (["--ephemeral", "--execute-timeout", "nan"], NOTHING),
    "a time without an end": lambda _: (["--ephemeral", "--execute-timeout", "inf"], NOTHING),
    "an option that is unknown": lambda _: (["--ephemeral", "--fleets", "3"], NOTHING),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_start_that_cannot_be_is_one_sentence_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    arguments, environment = STARTS[name](tmp_path)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for variable, value in {"HOME": str(tmp_path), **environment}.items():
        monkeypatch.setenv(variable, value)
    if "--port" not in arguments:
        arguments = ["--port", "0", *arguments]
    said = said_by("serve", *arguments)

    assert said.exit_code == 2, said
    assert "s3cret" not in said.stderr
    assert isinstance(said.exception, SystemExit), "no traceback"
    assert sum(line.startswith("Error: ") for line in said.stderr.splitlines()) == 1, said.stderr
    assert list(temporary.iterdir()) == []


def test_a_folder_for_temporary_files_that_is_not_there_is_no_reason_to_fail(tmp_path: Path) -> None:
    with_another = run_cli("run", "--", "true", TMPDIR="/no/such/folder")

    assert (with_another.returncode, "Traceback" in with_another.stderr) == (0, False)


AS_OTHERS = "setpriv --bounding-set=-all --inh-caps=-all"
"""Before a program: it may do what anybody may, though it seems to be root."""

POOR_DISKS = {
    "a disk that is read-only": "mount -t tmpfs -o ro none $D; exec $RUN --data-dir $D/data",
    "a folder that may not be written": f"chmod 500 $D; exec {AS_OTHERS} $RUN --data-dir $D/data",
    "a data directory that may not be read": f"mkdir -m 0 $D/data; exec {AS_OTHERS} $RUN --data-dir $D/data",
    "a data directory that may not be written": f"mkdir -m 500 $D/data; exec {AS_OTHERS} $RUN --data-dir $D/data",
    "keys that may not be read": f"echo >$D/keys.json; chmod 0 $D/keys.json; exec {AS_OTHERS} $RUN --data-dir $D",
    "a ready file on a disk that is read-only": "mount -t tmpfs -o ro none $D; exec $RUN --ephemeral --ready-file $D/r",
    "a disk that is full": "mount -t tmpfs -o size=16k none $D; head -c 16k /dev/zero >$D/x; exec $RUN --data-dir $D/d",
    "no folder for temporary files": (
        # What lies there stays to be read: this clone may be below it.
        "for T in /tmp /var/tmp /usr/tmp; do if [ -d $T ]; then mount --rbind $T $T; mount -o remount,bind,ro $T; fi; "
        "done; "
        "unset TMPDIR; cd /proc; exec $RUN --ephemeral"
    ),
}


@pytest.mark.parametrize("name", POOR_DISKS)
def test_a_start_on_a_disk_that_cannot_be_used_is_a_sentence(tmp_path: Path, name: str) -> None:
    needs_namespaces()
    given = {"D": str(tmp_path), "RUN": shlex.join(command("serve", "--port", "0"))}
    finished = subprocess.run(
        [*NAMESPACE, POOR_DISKS[name]],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert finished.returncode == 2, finished
    assert "Traceback" not in finished.stderr
    assert sum(line.startswith("Error: ") for line in finished.stderr.splitlines()) == 1, finished.stderr


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["env"]], ids=" ".join)
@pytest.mark.parametrize("answer", [RuntimeError("no home"), "~/.local/share/conductor-mock"], ids=str)
def test_without_a_home_a_command_says_what_to_give(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], answer: str | Exception
) -> None:
    def user_data_dir(*_: object, **__: object) -> str:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("platformdirs.user_data_dir", user_data_dir)
    said = said_by(*arguments)

    assert said.exit_code == 2
    assert said.stderr == (
        "Error: there is no home folder to keep data in: set HOME, or give --data-dir or --ephemeral\n"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(ephemeral=True, provider="aws"), 'provider must be "gcs" or "s3", got "aws"'),
        (Settings(ephemeral=True, part_size=0), "part_size must be .* got 0"),
        (Settings(ephemeral=True, fleet=-1), "fleet must be .* got -1"),
        (Settings(ephemeral=True, seed=-1), "seed must be .* got -1"),
    ],
    ids=["provider", "part_size", "fleet", "seed"],
)
def test_settings_that_no_account_can_have_are_refused_by_name(settings: Settings, message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}"):
        create_app(settings)


def test_a_start_that_may_open_too_few_files_says_which_limit_to_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files", "/a/path")

    monkeypatch.setattr("conductor_mock.cli.serving.create_app", refused)
    ended = said_by("serve", "--port", "0", "--data-dir", str(tmp_path))
    assert (ended.exit_code, "raise the limit (ulimit -n)" in ended.output) == (2, True)
