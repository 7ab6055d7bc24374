"""Changes of the farm that were begun and not done: states, statuses, actions, records."""

from __future__ import annotations

from support.half_done import Edit, HalfDone

FARM = "mock_server/conductor_mock/farm"
TABLE = "contracts/conductor_contracts/job-states.yaml"

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

GOLDEN_LOGS = "tests/mock_server/test_golden_logs.py"
JOB_STATES = "tests/mock_server/test_job_states.py"
SNAPSHOT = "tests/mock_server/test_snapshot.py"


def behind(path: str, old: str, new: str) -> Edit:
    """Put something behind what is there."""
    return Edit(path, old, old + new)


ADDED_ACTION = (
    behind(f"{FARM}/statuses.py", LAST_ACTION, '    ARCHIVE = "archive"\n'),
    Edit(
        f"{FARM}/actions.py",
        "    Action.RELEASE_SCOUTS:",
        "    Action.ARCHIVE: Effect(frozenset({TaskStatus.SUCCESS}), TaskStatus.REVIEWED),\n"
        "    Action.RELEASE_SCOUTS:",
    ),
)

CHANGES = (
    HalfDone(
        "a field of a job that nobody shows",
        (behind(f"{FARM}/state.py", LAST_JOB_FIELD, '    department: str = ""\n'),),
        "tests/mock_server/test_views.py",
        "test_every_plain_field_of_a_job_and_task_is_shown_or_known_not_to_be",
    ),
    HalfDone(
        "a field of a job that older snapshots lack",
        (
            behind(f"{FARM}/state.py", "    phase: Phase\n", "    department: str\n"),
            behind(f"{FARM}/fold.py", "        note=note,\n", '        department="",\n'),
        ),
        SNAPSHOT,
        "test_a_snapshot_of_the_first_format_is_read",
    ),
    HalfDone(
        "a field of a task between the others",
        (
            Edit(
                f"{FARM}/state.py",
                "    scout: bool = False\n",
                '    colour: str = ""\n    scout: bool = False\n',
            ),
        ),
        SNAPSHOT,
        "test_a_snapshot_of_an_older_version_is_read_as_the_state_it_was_taken_of",
    ),
    HalfDone(
        "a field of a job in a form that is not known",
        (behind(f"{FARM}/state.py", LAST_JOB_FIELD, '    seal: bytes = b""\n'),),
        SNAPSHOT,
        "test_whatever_an_account_lived_through_comes_back",
        says="has no form in JSON",
    ),
    HalfDone(
        "an index that nobody compares",
        (
            behind(
                f"{FARM}/state.py", LAST_JOB_FIELD, "    looks: int = field(default=0, metadata=DERIVED)\n"
            ),
        ),
        SNAPSHOT,
        "test_whatever_an_account_lived_through_comes_back",
        says="does not say how the index Job.looks is compared",
    ),
    HalfDone(
        "an index that nobody makes again",
        (Edit(f"{FARM}/indexes.py", "    queues.rebuild(state)\n", ""),),
        SNAPSHOT,
        "test_whatever_an_account_lived_through_comes_back",
    ),
    HalfDone(
        "a status in the farm alone",
        (
            Edit(f"{FARM}/statuses.py", TASK_REVIEWED, f'    ARCHIVED = "archived"\n{TASK_REVIEWED}'),
            Edit(f"{FARM}/statuses.py", JOB_REVIEWED, f'    ARCHIVED = "archived"\n{JOB_REVIEWED}'),
        ),
        JOB_STATES,
        "test_the_words_are_those_of_the_table",
    ),
    HalfDone(
        "a transition in the farm alone",
        (
            Edit(
                f"{FARM}/actions.py",
                "Action.HOLD: Effect(frozenset({TaskStatus.PENDING}",
                "Action.HOLD: Effect(frozenset({TaskStatus.PENDING, TaskStatus.RUNNING}",
            ),
        ),
        JOB_STATES,
        "test_an_action_moves_what_the_table_says",
    ),
    HalfDone(
        "a transition in the table alone",
        (
            Edit(
                TABLE,
                "{by: time, from: [pending], to: [running]}",
                "{by: time, from: [pending], to: [running, failed]}",
            ),
        ),
        JOB_STATES,
        "test_all_that_is_in_the_table_happens",
    ),
    HalfDone(
        "a cause of a transition that the table does not know",
        (
            Edit(
                f"{FARM}/leases.py",
                "upload.status = UploadStatus.PENDING",
                "upload.status = UploadStatus.FAILED",
            ),
        ),
        JOB_STATES,
        "test_all_that_is_in_the_table_happens",
    ),
    HalfDone(
        "an action without an effect",
        ADDED_ACTION[:1],
        JOB_STATES,
        "test_an_action_moves_what_the_table_says",
    ),
    HalfDone(
        "an action in the farm alone",
        ADDED_ACTION,
        JOB_STATES,
        "test_the_words_are_those_of_the_table",
    ),
    HalfDone(
        "an action in the farm and the table alone",
        (
            *ADDED_ACTION,
            behind(TABLE, "  release_scouts: {single_tasks: false}\n", "  archive: {single_tasks: true}\n"),
            Edit(
                TABLE,
                "    - {by: hold,",
                "    - {by: archive, from: [success], to: [reviewed]}\n    - {by: hold,",
            ),
        ),
        "tests/contracts/test_job_states.py",
        "test_the_words_are_those_of_the_wire",
    ),
    HalfDone(
        "a record that no log can hold",
        (Edit(f"{FARM}/commands.py", "Command = (\n", COMMAND),),
        "tests/mock_server/test_fold.py",
        "test_every_command_that_is_stated_can_be_read_from_a_log_and_has_an_effect",
    ),
    HalfDone(
        "a record without an effect, and none stored",
        (Edit(f"{FARM}/commands.py", "Command = (\n", f"{COMMAND}    JobRenamed\n    | "),),
        GOLDEN_LOGS,
        "test_there_is_a_stored_record_of_every_kind_in_every_version",
    ),
    HalfDone(
        "a field of a record without a new version",
        (behind(f"{FARM}/commands.py", JOB_CHANGED, "    title: str | None = None\n"),),
        GOLDEN_LOGS,
        "test_a_stored_record_is_read_and_is_written_again_as_it_was",
    ),
)
