"""Changes of the farm that stop half-way are noticed: each is made in a copy of the tree, whose tests must fail.

What a whole change of each kind touches is in docs/contributing.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FARM = "mock_server/conductor_mock/farm"
TABLE = "contracts/conductor_contracts/job-states.yaml"
GUARDS = [
    "tests/client/test_job_states.py",
    "tests/contracts/test_job_states.py",
    "tests/mock_server/test_encoding.py",
    "tests/mock_server/test_fold.py",
    "tests/mock_server/test_golden_logs.py",
    "tests/mock_server/test_job_states.py",
    "tests/mock_server/test_snapshot.py",
    "tests/mock_server/test_views.py",
]
"""The tests that hold the places of a change together; they need no server."""

COMMAND = """@dataclass(frozen=True, slots=True)
class JobRenamed(_Plain):
    kind: ClassVar[str] = "job.renamed"
    version: ClassVar[int] = 1

    job: int
    title: str


Command = (
"""
LAST_JOB_FIELD = "    lost: int = 0\n"
TASK_REVIEWED = '    REVIEWED = "reviewed"\n\n\nENDED'
JOB_REVIEWED = '    REVIEWED = "reviewed"\n\n\nJOB_ENDED'
LAST_ACTION = '    RELEASE_SCOUTS = "release_scouts"\n'
JOB_CHANGED = "    priority: int | None\n    machine: Machine | None\n"


@dataclass(frozen=True)
class Edit:
    """A text of a file that becomes another one."""

    path: str
    old: str
    new: str


def behind(path: str, old: str, new: str) -> Edit:
    return Edit(path, old, old + new)


ADDED_ACTION = [
    behind(f"{FARM}/statuses.py", LAST_ACTION, '    ARCHIVE = "archive"\n'),
    Edit(
        f"{FARM}/actions.py",
        "    Action.RELEASE_SCOUTS:",
        "    Action.ARCHIVE: Effect(frozenset({TaskStatus.SUCCESS}), TaskStatus.REVIEWED),\n"
        "    Action.RELEASE_SCOUTS:",
    ),
]

HALF_DONE: dict[str, tuple[list[Edit], str]] = {
    "a field of a job that nobody shows": (
        [
            behind(f"{FARM}/state.py", LAST_JOB_FIELD, '    department: str = ""\n'),
        ],
        "test_every_plain_field_of_a_job_and_task_is_shown_or_known_not_to_be",
    ),
    "a field of a job that older snapshots lack": (
        [
            behind(f"{FARM}/state.py", "    phase: Phase\n", "    department: str\n"),
            behind(f"{FARM}/fold.py", "        note=note,\n", '        department="",\n'),
        ],
        "test_a_snapshot_of_the_first_format_is_read",
    ),
    "a field of a task between the others": (
        [
            Edit(
                f"{FARM}/state.py",
                "    scout: bool = False\n",
                '    colour: str = ""\n    scout: bool = False\n',
            )
        ],
        "test_a_snapshot_of_an_older_version_is_read_as_the_state_it_was_taken_of",
    ),
    "a field of a job in a form that is not known": (
        [behind(f"{FARM}/state.py", LAST_JOB_FIELD, '    seal: bytes = b""\n')],
        "has no form in JSON",
    ),
    "an index that nobody compares": (
        [behind(f"{FARM}/state.py", LAST_JOB_FIELD, "    looks: int = field(default=0, metadata=DERIVED)\n")],
        "does not say how the index Job.looks is compared",
    ),
    "an index that nobody makes again": (
        [Edit(f"{FARM}/indexes.py", "    queues.rebuild(state)\n", "")],
        "test_whatever_an_account_lived_through_comes_back",
    ),
    "a status in the farm alone": (
        [
            Edit(f"{FARM}/statuses.py", TASK_REVIEWED, f'    ARCHIVED = "archived"\n{TASK_REVIEWED}'),
            Edit(f"{FARM}/statuses.py", JOB_REVIEWED, f'    ARCHIVED = "archived"\n{JOB_REVIEWED}'),
        ],
        "test_the_words_are_those_of_the_table",
    ),
    "a status in the table alone": (
        [Edit(TABLE, "    reviewed: rendered,", "    archived: put away\n    reviewed: rendered,")],
        "test_the_words_are_those_of_the_wire",
    ),
    "a transition in the farm alone": (
        [
            Edit(
                f"{FARM}/actions.py",
                "Action.HOLD: Effect(frozenset({TaskStatus.PENDING}",
                "Action.HOLD: Effect(frozenset({TaskStatus.PENDING, TaskStatus.RUNNING}",
            )
        ],
        "test_an_action_moves_what_the_table_says",
    ),
    "a transition in the table alone": (
        [
            Edit(
                TABLE,
                "{by: time, from: [pending], to: [running]}",
                "{by: time, from: [pending], to: [running, failed]}",
            )
        ],
        "test_all_that_is_in_the_table_happens",
    ),
    "a cause of a transition that the table does not know": (
        [
            Edit(
                f"{FARM}/leases.py",
                "upload.status = UploadStatus.PENDING",
                "upload.status = UploadStatus.FAILED",
            )
        ],
        "test_all_that_is_in_the_table_happens",
    ),
    "an action without an effect": (ADDED_ACTION[:1], "test_an_action_moves_what_the_table_says"),
    "an action in the farm alone": (ADDED_ACTION, "test_the_words_are_those_of_the_table"),
    "an action in the farm and the table alone": (
        [
            *ADDED_ACTION,
            behind(TABLE, "  release_scouts: {single_tasks: false}\n", "  archive: {single_tasks: true}\n"),
            Edit(
                TABLE,
                "    - {by: hold,",
                "    - {by: archive, from: [success], to: [reviewed]}\n    - {by: hold,",
            ),
        ],
        "test_the_words_are_those_of_the_wire",
    ),
    "a record that no log can hold": (
        [Edit(f"{FARM}/commands.py", "Command = (\n", COMMAND)],
        "test_every_command_that_is_stated_can_be_read_from_a_log_and_has_an_effect",
    ),
    "a record without an effect, and none stored": (
        [Edit(f"{FARM}/commands.py", "Command = (\n", f"{COMMAND}    JobRenamed\n    | ")],
        "test_there_is_a_stored_record_of_every_kind_in_every_version",
    ),
    "a field of a record without a new version": (
        [behind(f"{FARM}/commands.py", JOB_CHANGED, "    title: str | None = None\n")],
        "test_a_stored_record_is_read_and_is_written_again_as_it_was",
    ),
}


@pytest.mark.prove
@pytest.mark.parametrize("name", HALF_DONE)
def test_a_change_that_stops_half_way_is_noticed(name: str, tmp_path: Path) -> None:
    edits, noticed_by = HALF_DONE[name]
    for folder in ("client", "contracts", "mock_server", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for edit in edits:
        path = tmp_path / edit.path
        text = path.read_text(encoding="utf-8")
        assert text.count(edit.old) == 1, f"{edit.path} has changed: {edit.old!r} is not there once"
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")

    guard = noticed_by if noticed_by.startswith("test_") else "comes_back"
    roots = os.pathsep.join(str(tmp_path / folder) for folder in ("client", "contracts", "mock_server"))
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", guard, *GUARDS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": roots, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode != 0, "nothing failed"
    assert noticed_by in finished.stdout + finished.stderr, finished.stdout[-3000:]
