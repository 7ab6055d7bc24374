"""A data directory that holds a bit of everything a server keeps, small enough to look through thousands of times."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from conductor_mock.store.mail_statuses import SENT, MailStatus, keys
from conductor_mock.store.tables import METADATA
from support.server import ApiCaller, Fake, candidate, running

PART = 8
CONTENT = b"0123456789" * 2


def lived(folder: Path) -> None:
    """Make a directory of two accounts: one as a clean stop leaves it, and one whose server was killed after it."""
    with running(data_dir=folder, part_size=PART) as fake:
        _live(fake, fake.caller())
    with running(data_dir=folder, part_size=PART) as fake:
        caller = fake.caller("second", "another key")
        caller.upload("/proj/c", b"third")
        assert caller.submit(job_title="after the snapshot").status == 201
        fake.caller().upload("/proj/e", b"fourth")
        assert fake.caller().submit(job_title="behind it").status == 201
        left = folder.with_name(f"{folder.name}-left")
        shutil.copytree(folder, left, ignore=shutil.ignore_patterns("*lock"))
    shutil.rmtree(folder)
    left.rename(folder)


def _live(fake: Fake, caller: ApiCaller) -> None:
    caller.upload("/proj/b", b"small")
    assert caller.submit(job_title="x" * 70_000, notify={"emails": ["a@example.com"]}).status == 201
    account = {"account": caller.client_id}
    assert caller.post("/_mock/clock", {"until": "idle"}, query=account).status == 200
    assert caller.get("/downloads/00001").status == 201
    assert (
        caller.post("/_mock/outcomes", {"match": {}, "outcome": {"exit_code": 3}}, query=account).status < 500
    )
    asked = {"upload_files": [candidate("/proj/a.ma", CONTENT)]}
    (record,) = caller.post("/api/v2/files/get_upload_urls", asked).json()["multiPartURLs"]
    assert caller.put(record["parts"][0]["url"], CONTENT[:PART]).status == 200
    (account_id,) = fake.service.accounts.ids()
    with fake.service.accounts.open(account_id) as opened:
        mails = keys(opened.state.outbox)
    assert mails, "a mail is among everything"
    fake.service.mail_statuses.note(account_id, mails[0], MailStatus(SENT, 1))


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("lock")
    }


def put_back(folder: Path, files: dict[str, bytes]) -> None:
    """Make a folder hold these files again and no others."""
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.stat().st_size != len(content) or path.read_bytes() != content:
            path.write_bytes(content)


def meaning_of(folder: Path) -> dict[str, Any]:
    """What a directory says: every row of every table, every content and part, the secrets, the entries of the journal.

    Raises sqlite3.Error and the like for one that cannot be read.
    """
    said: dict[str, Any] = {}
    with closing(sqlite3.connect(folder / "conductor.db")) as database:
        for table in METADATA.sorted_tables:
            columns = ", ".join(column.name for column in table.c)
            said[table.name] = sorted(database.execute(f"SELECT {columns} FROM {table.name}"), key=repr)
    with closing(sqlite3.connect(folder / "journal.db")) as journal:
        said["journal"] = journal.execute(
            "SELECT id, account, operation, method, path, entry FROM requests ORDER BY id"
        ).fetchall()
    for name, content in files_of(folder).items():
        if name.startswith(("objects/", "parts/")) or name == "keys.json":
            said[name] = content
    return said
