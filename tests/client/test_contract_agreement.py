"""The arguments of a submission, the contract, and the tables that both are tried with name the same things."""

from __future__ import annotations

from conductor.lib.submission.arguments import ARGUMENTS
from conductor_contracts.contract import load
from conductor_contracts.strategies.arguments import SPELLINGS
from support.wire_table import NAMES, ROWS

SENT = {argument.wire: argument for argument in ARGUMENTS if argument.wire}
MADE = {"upload_files", "upload_size"}
"""Keys of a job that are made of files."""
NOT_SENT = {"gpu_config"}
"""Keys of a job that only clients of before ours send."""
OF_THE_CLIENT = {"database_filepath", "force", "md5_caching", "upload_file"}
"""Arguments that only say how this client works."""


def test_what_arguments_send_is_in_the_contract_and_what_it_has_comes_from_arguments() -> None:
    rows = [row for row in load().fidelity() if (row.operation, row.part) == ("jobs.create", "request")]
    fields = {row.name for row in rows if not set(row.name) & set(".[")}

    assert len(fields) > 20
    assert set(SENT) | MADE | NOT_SENT == fields


def test_the_table_of_the_wire_has_every_argument_that_is_sent_with_all_its_names() -> None:
    table = {row.wire: row.arguments for row in ROWS}

    assert {key: argument.names for key, argument in SENT.items() if key != "owner"} == table


def test_every_argument_is_drawn_by_the_strategies_or_only_says_how_the_client_works() -> None:
    """`tests/contracts/test_strategies.py` finds that all of `NAMES` are drawn."""
    assert {argument.name for argument in ARGUMENTS} == NAMES | OF_THE_CLIENT


def test_the_strategies_spell_arguments_as_the_client_does() -> None:
    assert {name: tuple(spellings) for name, spellings in SPELLINGS.items()} == {
        argument.name: argument.names for argument in ARGUMENTS if argument.aliases
    }
