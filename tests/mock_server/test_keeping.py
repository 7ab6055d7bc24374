"""What refers to contents is stated once: sweeps, resets and copies of a data directory ask the same columns."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from conductor_mock.store import belonging
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.backup import back_up
from conductor_mock.store.belonging import join
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import of_file
from conductor_mock.store.objects import ObjectStore
from conductor_mock.store.sweeper import sweep, unreferenced, unreferenced_small
from conductor_mock.store.table_and_files import TableAndFiles
from conductor_mock.store.tables import DECLARATIONS, KEEPING, METADATA, MULTIPARTS, SMALL_CONTENTS
from conductor_mock.wire.md5 import to_base64
from support.contents import contents_in

OTHERS = {DECLARATIONS.c.md5, MULTIPARTS.c.md5, SMALL_CONTENTS.c.md5}
"""The md5s of what a client says that it has, and has perhaps not sent; and those that contents have themselves."""
CONTENT = b"kept"
DIGEST = hashlib.md5(CONTENT, usedforsecurity=False).digest()


def test_each_column_of_md5s_keeps_contents_or_is_known_not_to() -> None:
    of_md5s = {column for table in METADATA.sorted_tables for column in table.c if "md5" in column.name}
    assert set(KEEPING) == of_md5s - OTHERS


def value(column: sa.Column[object]) -> object:
    return 1 if issubclass(column.type.python_type, int) else "{}"


@pytest.mark.parametrize("is_file", [True, False])
@pytest.mark.parametrize("column", KEEPING, ids=str)
def test_a_content_that_any_column_refers_to_stays_and_is_copied(
    column: sa.Column[str], is_file: bool, tmp_path: Path
) -> None:
    served, copy = tmp_path / "served", tmp_path / "copy"
    row = {each.name: value(each) for each in column.table.c} | {column.name: to_base64(DIGEST)}
    with Database(of_file(served / "conductor.db")) as database:
        store = ObjectStore(served) if is_file else TableAndFiles(served, database)
        join(database, served)
        store.put(io.BytesIO(CONTENT), md5=DIGEST, size=len(CONTENT))
        contents = AccountContents(database, store)
        with database.write() as connection:
            connection.execute(column.table.insert().values(row))

        assert [*unreferenced(database, served), *unreferenced_small(database)] == []
        assert contents.collect([to_base64(DIGEST)]) == 0
        back_up(served, copy)
        assert contents_in(copy) == {DIGEST.hex(): CONTENT}

        with database.write() as connection:
            connection.execute(column.table.delete())
        assert sweep(database, served).contents == 1
        assert not store.has(DIGEST)


def test_a_folder_that_another_server_takes_away_while_it_is_looked_through_has_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ab", "cd"):
        (tmp_path / "parts" / name).mkdir(parents=True)
    scan = os.scandir

    def gone_meanwhile(path: Any) -> Any:
        if Path(path).name == "parts":
            entries = scan(path)
            (tmp_path / "parts/ab").rmdir()
            return entries
        return scan(path)

    monkeypatch.setattr(os, "scandir", gone_meanwhile)
    assert belonging._holds_nothing(tmp_path)
    monkeypatch.undo()
    (tmp_path / "parts/cd/1").touch()
    assert not belonging._holds_nothing(tmp_path)
