"""What was acknowledged is on disk: the order of sync, rename, commit and answer, and a kill between any two."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.content_store import BLOCK
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import of_file
from conductor_mock.store.durable import write_private
from conductor_mock.store.objects import FOLDER, ObjectStore
from conductor_mock.store.parts import Parts
from conductor_mock.wire.md5 import from_base64, to_base64
from support.durability import Recorder, each_kill, recorded
from support.server import Fake, running

ACCOUNT = "an-account"
CONTENT = b"the content of a file" * (BLOCK // 16)
MD5 = hashlib.md5(CONTENT).digest()
ETAG = MD5.hex()


@contextmanager
def stores(folder: Path) -> Iterator[tuple[Database, ObjectStore, AccountContents, Parts]]:
    with Database(of_file(folder / "conductor.db")) as database:
        objects = ObjectStore(folder)
        yield database, objects, AccountContents(database, objects), Parts(database, folder)


def upload(folder: Path, kill_at: int | None = None) -> Recorder:
    with stores(folder) as (database, objects, contents, _), recorded(kill_at) as recorder:
        recorder.watch(database.engine)
        with objects.receive(io.BytesIO(CONTENT), md5=MD5, size=len(CONTENT)) as received:
            contents.add_upload(ACCOUNT, received, t_us=1)
            recorder.answer()
    return recorder


def keep_a_part(folder: Path, kill_at: int | None = None) -> Recorder:
    with stores(folder) as (_, _, _, parts):
        multipart = parts.begin(ACCOUNT, md5=to_base64(MD5), size=len(CONTENT), part_size=len(CONTENT))
        with recorded(kill_at) as recorder, parts.receive(ACCOUNT, multipart, 1, io.BytesIO(CONTENT)) as part:
            with parts.turn(multipart):
                parts.keep(part)
            recorder.answer()
    return recorder


def test_a_content_is_synced_named_committed_and_then_acknowledged(tmp_path: Path) -> None:
    recorder = upload(tmp_path)
    path = tmp_path / "objects" / FOLDER / ETAG
    named = recorder.synced_after(recorder.renamed_to(path), path.parent)
    made = recorder.synced_after(-1, path.parent.parent)

    assert max(named, made) < recorder.kinds.index("commit") < recorder.kinds.index("answer")


def test_after_a_kill_at_any_moment_an_upload_is_whole_or_not_there(tmp_path: Path) -> None:
    seen = []
    for folder, recorder in each_kill(upload, tmp_path):
        with stores(folder) as (_, objects, contents, _):
            held = contents.held(ACCOUNT, [to_base64(MD5)])
            if held or objects.has(MD5):
                assert objects.read(MD5) == CONTENT
            assert held or not recorder.answered
            assert list((folder / "incoming").iterdir()) == []
            seen.append(bool(held))

    assert set(seen) == {True, False}
    assert seen == sorted(seen), "once it is there it stays"


MADE = [b"a picture %d" % number for number in range(5)]


def make_outputs(folder: Path, kill_at: int | None = None) -> Recorder:
    with stores(folder) as (database, _, contents, _), recorded(kill_at) as recorder:
        recorder.watch(database.engine)
        contents.add_outputs(ACCOUNT, MADE, t_us=1)
        recorder.answer()
    return recorder


def test_outputs_that_are_stored_together_are_synced_and_named_before_their_commit(tmp_path: Path) -> None:
    recorder = make_outputs(tmp_path)
    for content in MADE:
        name = hashlib.md5(content).hexdigest()
        path = tmp_path / "objects" / FOLDER / name
        named = recorder.synced_after(recorder.renamed_to(path), path.parent)
        made = recorder.synced_after(-1, path.parent.parent)
        assert max(named, made) < recorder.kinds.index("commit") < recorder.kinds.index("answer")


def test_after_a_kill_at_any_moment_outputs_are_all_noted_and_whole_or_none_is(tmp_path: Path) -> None:
    seen = set()
    for folder, recorder in each_kill(make_outputs, tmp_path):
        with stores(folder) as (_, objects, contents, _):
            outputs = contents.inventory(ACCOUNT).outputs
            for output in outputs:
                assert objects.read(from_base64(output.md5)) in MADE
            assert len(outputs) in (0, len(MADE))
            assert outputs or not recorder.answered
            seen.add(len(outputs))

    assert seen == {0, len(MADE)}


def test_a_part_is_synced_and_named_before_it_is_acknowledged(tmp_path: Path) -> None:
    recorder = keep_a_part(tmp_path)
    (path,) = (tmp_path / "parts").rglob("00001-*")
    answered = recorder.kinds.index("answer")

    assert recorder.synced_after(recorder.renamed_to(path), path.parent) < answered
    for folder in (path.parent, path.parent.parent, tmp_path / "parts"):
        assert recorder.synced_after(-1, folder.parent) < answered, "the name of each new folder is on disk"


def test_after_a_kill_at_any_moment_a_part_is_whole_or_not_there(tmp_path: Path) -> None:
    seen = []
    for folder, recorder in each_kill(keep_a_part, tmp_path):
        with stores(folder) as (_, _, _, parts):
            multipart = parts.begin(ACCOUNT, md5=to_base64(MD5), size=len(CONTENT), part_size=len(CONTENT))
            there = [path for path in (folder / "parts").rglob("*") if path.is_file()]
            for path in there:
                assert path.read_bytes() == CONTENT
                assert parts.joined(ACCOUNT, multipart, [(1, ETAG)]).read() == CONTENT[:BLOCK]
            assert there or not recorder.answered
            seen.append(bool(there))

    assert set(seen) == {True, False}
    assert seen == sorted(seen)


def submit(folder: Path, kill_at: int | None = None) -> Recorder:
    """Submit a job; what lies on the disk at the end, or at the kill, is in `folder`/left."""
    with running(data_dir=folder / "data") as fake:
        caller = fake.caller()
        with recorded(kill_at) as recorder:
            recorder.watch(fake.service.log._database.engine)
            assert caller.submit().status == 201
            recorder.answer()
        shutil.copytree(folder / "data", folder / "left")
    return recorder


def test_after_a_kill_at_any_moment_a_job_is_made_or_not_and_an_acknowledged_one_is(
    tmp_path: Path,
) -> None:
    seen = []
    for folder, recorder in each_kill(submit, tmp_path):
        with running(data_dir=folder / "left") as fake:
            jobs = fake.caller().jobs()
        assert len(jobs) in (0, 1)
        assert jobs or not recorder.answered
        seen.append(len(jobs))

    assert set(seen) == {0, 1}
    assert seen == sorted(seen)


def write_keys(folder: Path, kill_at: int | None = None) -> Recorder:
    (folder / "keys.json").write_text('{"key": "old"}')
    with recorded(kill_at) as recorder:
        write_private(folder / "keys.json", '{"key": "new"}')
        recorder.answer()
    return recorder


def test_a_private_file_is_the_old_one_or_the_new_one_after_a_kill_at_any_moment(tmp_path: Path) -> None:
    seen = []
    for folder, recorder in each_kill(write_keys, tmp_path):
        key = json.loads((folder / "keys.json").read_text())["key"]
        assert key == "new" or not recorder.answered
        seen.append(key)

    assert set(seen) == {"old", "new"}
    whole = write_keys(tmp_path)
    assert whole.synced_after(whole.renamed_to(tmp_path / "keys.json"), tmp_path) < whole.kinds.index(
        "answer"
    )


def whole_story(fake: Fake) -> None:
    """All that writes: contents, parts, commands small and large, a reset, a bundle."""
    caller = fake.caller()
    caller.upload("/proj/a.ma", CONTENT)
    multipart = fake.service.parts.begin(
        ACCOUNT, md5=to_base64(MD5), size=len(CONTENT), part_size=len(CONTENT)
    )
    with (
        fake.service.parts.receive(ACCOUNT, multipart, 1, io.BytesIO(CONTENT)) as part,
        fake.service.parts.turn(multipart),
    ):
        fake.service.parts.keep(part)
    assert caller.submit().status == 201
    assert caller.submit(job_title="a command that is no row but a content " * 2000).status == 201
    assert caller.get("/_mock/bundle").status == 200
    assert caller.post("/_mock/reset").status == 204


def test_what_is_thrown_away_waits_for_no_disk(tmp_path: Path) -> None:
    with recorded() as thrown_away, running() as fake:
        whole_story(fake)
        with fake.service.log._database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 0, "SQLite syncs nothing"
    with recorded() as kept, running(data_dir=tmp_path / "data") as fake:
        whole_story(fake)

    assert "rename" in thrown_away.kinds, "files still come to be whole or not at all"
    assert "sync" not in thrown_away.kinds
    assert kept.kinds.count("sync") > 10, "the same story waits where its data is kept"
