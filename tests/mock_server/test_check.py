"""What is damaged on the disk is found, named and set aside, and the rest goes on."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing, suppress
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_mock.cli import main
from conductor_mock.settings import Settings
from conductor_mock.store.aside import note_aside, set_aside
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.objects import ObjectStore
from conductor_mock.upkeep import check
from support.contents import change, contents_in
from support.everything import files_of, lived, meaning_of, put_back
from support.server import md5_of, running

SEED = int(os.environ.get("CONDUCTOR_MOCK_TEST_SEED", "11"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a directory that holds everything."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    lived(folder)
    return files_of(folder)


@pytest.fixture
def data(tmp_path: Path, whole: dict[str, bytes]) -> Path:
    put_back(tmp_path, whole)
    return tmp_path


def damages(folder: Path, *, repair: bool = False) -> list[str]:
    return check(Settings(data_dir=folder), repair=repair).damages


def edit(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "conductor.db")) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(data))


def test_a_whole_directory_has_no_damage_and_is_as_it_was(data: Path) -> None:
    before = meaning_of(data)
    said = CliRunner().invoke(main, ["check", "--data-dir", str(data)])
    assert said.exit_code == 0, said.output
    assert said.output.startswith("0 damaged, 0 repaired; looked at "), said.output
    for what in ("contents", "parts", "rows", "accounts", "commands", "snapshots"):
        assert f" {what}" in said.output, "everything is in the directory, and is looked at"
    assert meaning_of(data) == before


SECOND = "account NOT IN (SELECT account FROM snapshots)"
TABLES = {
    "a command": ("log", "UPDATE log SET t_us = t_us + 1 WHERE seq = (SELECT max(seq) FROM log)"),
    "a command that changed places": ("command", "UPDATE log SET seq = 102 WHERE seq = 2 AND " + SECOND),
    "a command that is gone": ("which is gone", "DELETE FROM log WHERE seq = 1 AND " + SECOND),
    "the end of a log": (
        "the end of the log",
        "DELETE FROM log WHERE seq = (SELECT max(seq) FROM log AS l WHERE l.account = log.account)",
    ),
    "a whole log": ("the end of the log", "DELETE FROM log WHERE account = (SELECT min(account) FROM log)"),
    "an end": ("noted wrongly", "UPDATE heads SET seq = 1"),
    "a size": ("holdings", "UPDATE holdings SET size = size + 1"),
    "a time": ("outputs", "UPDATE outputs SET t_us = t_us + 1"),
    "an upload in parts": ("multiparts", "UPDATE multiparts SET size = size + 1"),
    "a mail": ("deliveries", "UPDATE deliveries SET state = 'waiting'"),
    "a snapshot": ("snapshots", "UPDATE snapshots SET seq = seq - 1"),
}


@pytest.mark.parametrize(("words", "statement"), TABLES.values(), ids=TABLES.keys())
def test_a_changed_row_is_found_and_repaired_so_that_all_accounts_open(
    data: Path, words: str, statement: str
) -> None:
    edit(data, statement)
    found = damages(data)
    assert any(words in what or "command" in what for what in found), found
    first = CliRunner().invoke(main, ["check", "--repair", "--data-dir", str(data)])
    assert first.exit_code == 0, first.output
    assert damages(data) == []
    with running(data_dir=data) as fake:
        for caller in (fake.caller(), fake.caller("second", "another key")):
            caller.jobs()
            assert caller.submit().status == 201
    assert damages(data) == []


def test_a_damaged_account_is_named_and_the_others_go_on(data: Path) -> None:
    edit(data, "UPDATE log SET t_us = t_us + 1 WHERE seq = (SELECT max(seq) FROM log)")
    with running(data_dir=data) as fake:
        told = fake.anonymous().sign_in()
        assert told.status == 503
        assert "is damaged; stop the server and run 'conductor-mock check --repair'" in told.message
        assert len(fake.caller("second", "another key").jobs()) == 1
        assert fake.anonymous().get("/_mock/health").status == 200


def test_a_damaged_snapshot_is_done_without_where_a_replay_is_the_same(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(data_dir=data) as fake:
        before = fake.caller().jobs()
    edit(data, "UPDATE snapshots SET seq = seq + 1")
    with running(data_dir=data) as fake:
        assert fake.caller().jobs() == before
    assert "the snapshot of account" in caplog.text


def test_a_damaged_command_that_a_snapshot_holds_is_told_and_costs_nothing_else(data: Path) -> None:
    edit(data, "UPDATE log SET t_us = t_us + 1 WHERE seq = 2 AND NOT " + SECOND)
    with running(data_dir=data) as fake:
        before = fake.caller().jobs()
    said = CliRunner().invoke(main, ["check", "--repair", "--data-dir", str(data)])
    assert said.exit_code == 1
    assert "cannot be shown any more" in said.output
    with running(data_dir=data) as fake:
        assert fake.caller().jobs() == before


# Contents, while they are read


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-3"}])
@pytest.mark.parametrize("size", [5, 1_000_000])
@pytest.mark.parametrize("is_file", [True, False])
def test_a_damaged_content_is_no_wrong_file(
    tmp_path: Path, size: int, headers: dict[str, str], is_file: bool
) -> None:
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        caller.submit(output_path="/proj/out")
        caller.post("/_mock/clock", {"until": "idle"}, query={"account": "studio"})
        (record,) = caller.get("/downloads/00001").json()["downloads"]
        url = record["files"][0]["url"]
        name = url.split("/objects/")[1].split("/")[1]
        if is_file:
            assert isinstance(fake.service.objects, ObjectStore)
            fake.service.objects.checked(bytes.fromhex(name))
        change(tmp_path, bytes.fromhex(name), b"x" * size)
        got = b""
        client = fake.app.test_client(use_cookies=False)
        response = client.get(url, headers=headers, buffered=False)
        with (
            pytest.raises(FileNotFoundError, match="damaged")
            if response.status_code == 200
            else closing(response)
        ):
            for block in response.iter_encoded():
                got += block
            assert response.status_code == 404
        assert len(got) < size or response.status_code == 404
        assert (tmp_path / "damaged" / name).read_bytes() == b"x" * size
        assert caller.get(url).status == (200 if is_file else 404), (
            "of a file that was made of it it is there"
        )


@pytest.mark.parametrize("content", [b"content", b"content" * 10_000], ids=["in the table", "a file"])
def test_an_upload_that_was_damaged_is_asked_for_again(tmp_path: Path, content: bytes) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.caller().upload("/proj/a", content)
    md5 = hashlib.md5(content)
    change(tmp_path, md5.digest(), b"cuntent")
    assert any(md5_of(content) in what for what in damages(tmp_path))
    damages(tmp_path, repair=True)
    assert md5.hexdigest() not in contents_in(tmp_path)
    assert b"cuntent" in [path.read_bytes() for path in (tmp_path / "damaged").iterdir()]
    with running(data_dir=tmp_path) as fake:
        fake.caller().upload("/proj/a", content)
        assert contents_in(tmp_path)[md5.hexdigest()] == content
    assert damages(tmp_path) == []


# The database as a file


def test_a_lost_tail_is_noticed_at_the_start_and_by_a_check(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (data / "conductor.db-wal").unlink()
    (data / "conductor.db-shm").unlink(missing_ok=True)
    assert any("has lost its last" in what for what in damages(data))
    assert any("has lost its last" in what for what in damages(data)), "to look changes nothing"
    with running(data_dir=data) as fake:
        assert fake.caller().jobs()
    assert "has lost its last" in caplog.text
    assert damages(data) == []


def damage_a_page(data: Path) -> None:
    with closing(sqlite3.connect(data / "conductor.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'declarations'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    flip(data / "conductor.db", ((root - 1) * size + 4) * 8)  # the count of its cells
    assert damages(data)


def test_a_database_whose_pages_are_damaged_is_made_anew_of_what_can_be_read(data: Path) -> None:
    damage_a_page(data)
    said = CliRunner().invoke(main, ["check", "--repair", "--data-dir", str(data)])
    assert said.exit_code == 0, said.output
    assert (data / "damaged" / "conductor.db").exists()
    assert damages(data) == []
    with running(data_dir=data) as fake:
        assert fake.caller().jobs()


class Killed(BaseException):
    """The process ends here: what is behind it does not happen."""


@pytest.mark.parametrize("goes_on", ["check --repair", "serve"])
@pytest.mark.parametrize("at", range(5))
def test_a_repair_that_is_killed_anywhere_is_gone_on_with_and_loses_nothing(
    data: Path, at: int, goes_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage_a_page(data)
    damaged = (data / "conductor.db").read_bytes()
    (data / "damaged").mkdir(exist_ok=True)
    (data / "damaged" / "conductor.db").write_bytes(b"what was set aside before")
    steps = 0

    def step(path: Path, real: Any, target: Path) -> Path:
        nonlocal steps
        if path.name.startswith("conductor.db"):
            steps += 1
            if steps > at:
                raise Killed
        return Path(real(path, target))

    with monkeypatch.context() as patched:
        for name in ("rename", "replace"):
            patched.setattr(Path, name, partialmethod(step, getattr(Path, name)))
        with suppress(Killed):
            damages(data, repair=True)
    assert steps > at or at > 2, "fewer steps than the test thinks"
    if goes_on != "serve" or at == 0:  # a damaged database that nothing was done about is not served
        damages(data, repair=True)
    with running(data_dir=data) as fake:
        assert fake.caller().jobs()
    assert damages(data) == []
    aside = {path.read_bytes() for path in (data / "damaged").glob("conductor.db*")}
    assert {damaged, b"what was set aside before"} <= aside


@settings(max_examples=20, deadline=None)
@given(
    contents=st.lists(st.binary(max_size=3), min_size=1, max_size=5),
    torn=st.binary(max_size=3).map(lambda data: data.hex()),
)
def test_what_is_set_aside_never_takes_the_place_of_what_was_before(contents: list[bytes], torn: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "damaged").mkdir()
        lines = root / "damaged" / "log.jsonl"
        lines.write_text(torn)
        for content in contents:
            (root / "name").write_bytes(content)
            set_aside(root / "name", root / "damaged")
            note_aside([content.hex()], lines)
        there = sorted(path.read_bytes() for path in (root / "damaged").glob("name*"))
        noted = lines.read_text().splitlines()
    assert there == sorted(contents)
    assert noted == [*([torn] if torn else []), *(content.hex() for content in contents)]


def test_what_is_no_database_is_not_repaired_and_says_so(data: Path) -> None:
    for suffix in ("-wal", "-shm"):
        (data / f"conductor.db{suffix}").unlink(missing_ok=True)
    (data / "conductor.db").write_bytes(b"x" * 8192)
    for words in (["check"], ["check", "--repair"]):
        said = CliRunner().invoke(main, [*words, "--data-dir", str(data)])
        assert said.exit_code == 1, said.output
        assert "conductor.db cannot be read" in said.output
        assert (data / "conductor.db").read_bytes() == b"x" * 8192


def test_a_directory_that_is_in_use_or_not_there_is_not_looked_at(data: Path) -> None:
    with running(data_dir=data), pytest.raises(DatabaseError, match="in use"):
        damages(data)
    said = CliRunner().invoke(main, ["check", "--data-dir", str(data / "none")])
    assert said.exit_code == 2
    assert "nothing to check" in said.output


# A database of an earlier version


def test_a_database_of_before_there_were_checksums_is_whole_and_goes_on(data: Path) -> None:
    with closing(sqlite3.connect(data / "conductor.db")) as connection, connection:
        connection.execute("DROP TABLE heads")
        connection.execute("DELETE FROM meta WHERE name = 'commits'")
        for table in ("log", "snapshots", "holdings", "outputs", "multiparts", "deliveries"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN sum")
    (data / "conductor.db.commits").unlink()
    assert damages(data) == []
    with running(data_dir=data) as fake:
        jobs = len(fake.caller().jobs())
        assert fake.caller().submit().status == 201
    with running(data_dir=data) as fake:
        assert len(fake.caller().jobs()) == jobs + 1
    assert damages(data) == []
    edit(data, "UPDATE log SET t_us = t_us + 1 WHERE sum IS NOT NULL")
    assert damages(data)


# Any one bit


def flips(folder: Path, whole: dict[str, bytes], count: int) -> Counter[str]:
    """Flip one bit, so many times, and have it found or be without effect; how often each was so."""
    chance = random.Random(SEED)
    right = meaning_of(folder)
    journal = right.pop("journal")
    names = sorted(name for name, content in whole.items() if content)
    weights = [len(whole[name]) for name in names]
    seen: Counter[str] = Counter()
    put_back(folder, whole)
    for number in range(count):
        # Half of them by bytes, half by files: else the largest file has nearly all.
        name = chance.choices(names, weights)[0] if number % 2 else chance.choice(names)
        bit = chance.randrange(len(whole[name]) * 8)
        flip(folder / name, bit)
        found = found_in(folder)
        if found:
            seen["found"] += 1
        else:
            said = meaning_of(folder)
            # It is not synced, so its end may be lost; what is there must be true.
            assert set(said.pop("journal")) <= set(journal), (
                f"bit {bit} of {name} is in the journal, unnoticed"
            )
            assert said == right, f"bit {bit} of {name} has an effect that no check finds"
            seen["without effect"] += 1
        seen[name.partition("/")[0]] += 1
        put_back(folder, whole)
    return seen


def found_in(folder: Path) -> list[str]:
    try:
        return damages(folder)
    except DatabaseError as error:  # a sentence, and nothing is begun on it
        return [str(error)]


def test_any_one_bit_is_found_or_has_no_effect(data: Path, whole: dict[str, bytes]) -> None:
    seen = flips(data, whole, 100)
    assert seen["found"] > 40, seen


@pytest.mark.prove
def test_ten_thousand_bits_are_found_or_have_no_effect(
    data: Path, whole: dict[str, bytes], record_property: Any
) -> None:
    seen = flips(data, whole, int(os.environ.get("CONDUCTOR_MOCK_TEST_FLIPS", "10000")))
    print(seen)
    record_property("flips", dict(seen))
    assert seen["found"] > seen["without effect"], seen
