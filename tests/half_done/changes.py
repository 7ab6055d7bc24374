"""Changes of each kind of `docs/contributing.md` that were begun and not done, each with the test that must say so.

A row is one `HalfDone`. Where a place has moved, its row is stale, which is a failure that names the place.
"""

from __future__ import annotations

from half_done import farm
from support.half_done import Edit, HalfDone

CONTRACT = "contracts/conductor_contracts"
SERVER = "mock_server/conductor_mock"
CLIENT = "client/conductor"

NEW_OPERATION = Edit(
    f"{CONTRACT}/openapi.yaml",
    "  /api/v1/accounts/{account_id}:\n",
    """\
  /api/v1/notes:
    get:
      operationId: notes.list
      tags: [accounts]
      summary: List notes
      description: Nothing knows them.
      x-evidence: inferred
      x-source: "wire reference 1.6 [inferred]"
      x-retry: direct
      x-clients: [all Python]
      x-traps: []
      responses:
        '204':
          description: None
          x-evidence: inferred
          x-source: "wire reference 1.6 [inferred]"

  /api/v1/accounts/{account_id}:
""",
)
NEW_STATUS_OF_THE_FARM = Edit(
    f"{SERVER}/farm/statuses.py",
    'class TaskStatus(Text):\n    """Wire reference 7.2; the job record has one counter for each."""\n\n',
    'class TaskStatus(Text):\n    """Wire reference 7.2; the job record has one counter for each."""\n\n'
    '    ARCHIVED = "archived"\n',
)
NEW_STATUS_OF_THE_TABLE = Edit(
    f"{CONTRACT}/job-states.yaml",
    "    killed: ended by somebody\n    reviewed: rendered, and somebody has looked at it\n  ended: [success,",
    "    killed: ended by somebody\n    archived: put away\n    reviewed: rendered, and somebody has looked at it\n"
    "  ended: [success,",
)
NEW_ACTION_OF_THE_TABLE = Edit(
    f"{CONTRACT}/job-states.yaml",
    "actions:\n  kill: {single_tasks: true}\n",
    "actions:\n  archive: {single_tasks: true}\n  kill: {single_tasks: true}\n",
)
NEW_KIND_OF_FAULT = Edit(
    f"{SERVER}/faults/kinds/sulk.py",
    "",
    '''"""No answer but a bad one."""

from __future__ import annotations

from dataclasses import dataclass

from conductor_mock.faults.fault import Fault


@dataclass(frozen=True, slots=True)
class Sulk(Fault):
    """An answer that says nothing."""

    kind = "sulk"
    carried_out = 1
''',
)
SULK_IS_REGISTERED = (
    Edit(
        f"{SERVER}/faults/kinds/__init__.py",
        "from conductor_mock.faults.kinds.truncate import Truncate\n",
        "from conductor_mock.faults.kinds.sulk import Sulk\n"
        "from conductor_mock.faults.kinds.truncate import Truncate\n",
    ),
    Edit(f"{SERVER}/faults/kinds/__init__.py", "    Duplicate,\n)", "    Duplicate,\n    Sulk,\n)"),
)
NEW_ARGUMENT = Edit(
    f"{CLIENT}/lib/submission/arguments.py",
    '    Argument(\n        "docker_image",\n',
    '    Argument("mood", Text(), "How the job feels.", wire="mood", sent=IF_GIVEN),\n'
    '    Argument(\n        "docker_image",\n',
)
NEW_COMMAND = (
    Edit(
        f"{CLIENT}/commands/choices.py",
        '@click.command("instance-types")\n',
        '@click.command()\ndef moods() -> None:\n    """List moods."""\n\n\n@click.command("instance-types")\n',
    ),
    Edit(
        f"{CLIENT}/cli.py",
        '    "instance-types": Listed(',
        '    "moods": Listed("choices", "List moods."),\n    "instance-types": Listed(',
    ),
)
NEW_PAGE = Edit(
    f"{SERVER}/dashboard/pages.py",
    'pages.get("/mails")(_later("mails", "mails"))\n',
    'pages.get("/mails")(_later("mails", "mails"))\npages.get("/moods")(_later("connect", "connect"))\n',
)
NEW_RECORD = Edit(
    f"{SERVER}/farm/commands.py",
    "@dataclass(frozen=True, slots=True)\nclass DownloadOffered(_Plain):\n",
    '''@dataclass(frozen=True, slots=True)
class JobPraised(_Plain):
    """Somebody likes a job."""

    kind: ClassVar[str] = "job.praised"
    version: ClassVar[int] = 1

    job: int


@dataclass(frozen=True, slots=True)
class DownloadOffered(_Plain):
''',
)
RECORD_IS_A_COMMAND = Edit(
    f"{SERVER}/farm/commands.py", "    | JobChanged\n", "    | JobChanged\n    | JobPraised\n"
)

CHANGES = (
    *farm.CHANGES,
    HalfDone(
        "an operation that the server does not serve",
        (NEW_OPERATION,),
        "tests/mock_server/test_contract_agreement.py",
        "test_the_app_serves_the_operations_of_the_contract_under_their_names",
    ),
    HalfDone(
        "an operation without an interaction",
        (NEW_OPERATION,),
        "tests/mock_server/test_contract_agreement.py",
        "test_there_are_interactions_for_every_operation",
    ),
    HalfDone(
        "an operation that the client neither calls nor is known not to call",
        (NEW_OPERATION,),
        "tests/client/test_operations.py",
        "test_every_operation_of_the_contract_is_called_or_known_not_to_be",
    ),
    HalfDone(
        "an operation that is not on the fidelity page",
        (NEW_OPERATION,),
        "tests/docs/test_generated.py",
        "test_no_generated_page_is_old",
    ),
    HalfDone(
        "a status of tasks that jobs cannot have",
        (NEW_STATUS_OF_THE_FARM,),
        "tests/mock_server/test_job_states.py",
        "test_the_words_are_those_of_the_table",
        says="'archived' is not a valid JobStatus",
    ),
    HalfDone(
        "a status of tasks that the client does not know",
        (NEW_STATUS_OF_THE_TABLE,),
        "tests/client/test_job_states.py",
        "test_the_words_are_those_of_the_table",
    ),
    HalfDone(
        "a status of tasks that is not on the wire",
        (NEW_STATUS_OF_THE_TABLE,),
        "tests/contracts/test_job_states.py",
        "test_the_words_are_those_of_the_wire",
    ),
    HalfDone(
        "a status of tasks that nothing leads to",
        (NEW_STATUS_OF_THE_TABLE,),
        "tests/contracts/test_job_states.py",
        "test_every_status_can_be_reached_and_what_has_ended_stays_so_by_itself",
    ),
    HalfDone(
        "an action that the farm does not know",
        (NEW_ACTION_OF_THE_TABLE,),
        "tests/mock_server/test_job_states.py",
        "test_the_words_are_those_of_the_table",
    ),
    HalfDone(
        "an action that the client does not know",
        (NEW_ACTION_OF_THE_TABLE,),
        "tests/client/test_job_states.py",
        "test_the_words_are_those_of_the_table",
    ),
    HalfDone(
        "a kind of fault that is not registered",
        (NEW_KIND_OF_FAULT,),
        "tests/mock_server/test_fault_kinds.py",
        "test_every_class_of_a_kind_is_registered",
    ),
    HalfDone(
        "a kind of fault that nobody tries",
        (NEW_KIND_OF_FAULT, *SULK_IS_REGISTERED),
        "tests/mock_server/test_fault_kinds.py",
        "test_every_kind_is_tried_here",
    ),
    HalfDone(
        "a kind of fault that is not in the reference",
        (NEW_KIND_OF_FAULT, *SULK_IS_REGISTERED),
        "tests/docs/test_generated.py",
        "test_no_generated_page_is_old",
    ),
    HalfDone(
        "an argument of a submission without a value that is tried",
        (NEW_ARGUMENT,),
        "tests/client/test_arguments.py",
        "test_the_samples_here_cover_the_whole_table",
    ),
    HalfDone(
        "an argument of a submission that the contract does not know",
        (NEW_ARGUMENT,),
        "tests/client/test_contract_agreement.py",
        "test_what_arguments_send_is_in_the_contract_and_what_it_has_comes_from_arguments",
    ),
    HalfDone(
        "an argument of a submission that no strategy draws",
        (NEW_ARGUMENT,),
        "tests/client/test_contract_agreement.py",
        "test_every_argument_is_drawn_by_the_strategies_or_only_says_how_the_client_works",
    ),
    HalfDone(
        "an argument of a submission that is not in the reference",
        (NEW_ARGUMENT,),
        "tests/docs/test_generated.py",
        "test_no_generated_page_is_old",
    ),
    HalfDone(
        "a command of the client that is not listed",
        NEW_COMMAND[:1],
        "tests/client/test_cli.py",
        "test_every_command_of_a_module_is_listed_or_belongs_to_a_group",
    ),
    HalfDone(
        "a command of the client that is not in the reference",
        NEW_COMMAND,
        "tests/docs/test_client_reference.py",
        "test_every_command_has_a_heading_and_its_options_are_explained_below_it",
    ),
    HalfDone(
        "a command of the client that is not tried with strange answers",
        NEW_COMMAND,
        "tests/client/test_commands.py",
        "test_every_command_is_tried_with_strange_answers_or_elsewhere",
    ),
    HalfDone(
        "a page that no other one links",
        (NEW_PAGE,),
        "tests/mock_server/test_pages.py",
        "test_every_page_is_reached_from_the_first_one_and_keeps_its_account",
    ),
    HalfDone(
        "a page that is not in the reference",
        (NEW_PAGE,),
        "tests/mock_server/test_pages.py",
        "test_every_page_has_a_row_in_the_reference",
    ),
    HalfDone(
        "an entry of the catalogue that nobody has noticed",
        (
            Edit(
                f"{SERVER}/catalog/default.yaml",
                "        documentation: 2022.SP3\n        plausible: 2025.SP3\n",
                "        documentation: 2022.SP3\n        plausible: 2025.SP3 2026.SP0\n",
            ),
        ),
        "tests/mock_server/test_catalog.py",
        "test_the_shipped_catalog_changes_only_on_purpose",
    ),
    HalfDone(
        "a figure of machines that no catalogue can state",
        (
            Edit(
                f"{SERVER}/catalog/machines.py",
                "    preemptible_micro_usd_per_hour: MicroDollars\n    speed: int\n",
                "    preemptible_micro_usd_per_hour: MicroDollars\n    speed: int\n    storage: int = 0\n",
            ),
        ),
        "tests/mock_server/test_catalog_files.py",
        "test_a_machine_has_nothing_but_its_figures_and_what_its_record_says",
    ),
    HalfDone(
        "a figure of machines that nobody is charged",
        (
            Edit(
                f"{SERVER}/farm/values.py",
                '    speed: int\n    """Per cent of a reference machine."""\n',
                '    speed: int\n    """Per cent of a reference machine."""\n    storage_micro_usd_per_hour: int = 0\n',
            ),
        ),
        "tests/mock_server/test_billing.py",
        "test_every_price_of_a_machine_is_charged",
    ),
    HalfDone(
        "a record of the log that cannot be read again",
        (NEW_RECORD,),
        "tests/mock_server/test_log_records.py",
        "test_every_command_is_a_kind_of_the_log",
    ),
    HalfDone(
        "a record of the log that no golden log has",
        (NEW_RECORD, RECORD_IS_A_COMMAND),
        "tests/mock_server/test_log_records.py",
        "test_every_kind_is_in_a_golden_log_that_is_replayed",
    ),
    HalfDone(
        "a record of the log that a bundle may bring unchecked",
        (NEW_RECORD, RECORD_IS_A_COMMAND),
        "tests/mock_server/test_log_records.py",
        "test_a_bundle_checks_the_values_of_every_kind_or_its_types_say_it_all",
    ),
    HalfDone(
        "a record of the log of a version that is not stored",
        (
            Edit(
                f"{SERVER}/farm/commands.py",
                '    kind: ClassVar[str] = "job.changed"\n    version: ClassVar[int] = 1\n',
                '    kind: ClassVar[str] = "job.changed"\n    version: ClassVar[int] = 2\n',
            ),
        ),
        "tests/mock_server/test_golden_logs.py",
        "test_there_is_a_stored_record_of_every_kind_in_every_version",
    ),
)
