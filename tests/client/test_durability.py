"""Files of the client are on disk before they have their name, and whole or as before after a kill at any moment."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from conductor.lib.download.partial_file import PartialFile
from conductor.lib.files.hashing import BUFFER_BYTES
from conductor.lib.login.credentials import Token, TokenStore
from conductor.lib.submission.ledger import Ledger
from support.durability import Event, Recorder, each_kill, recorded

CONTENT = b"the content of a file" * (BUFFER_BYTES // 16)
MD5 = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
SENT = Event("sent")
OLD, NEW = Token("old", 1, "key"), Token("new", 2, "key")


def partial(folder: Path) -> PartialFile:
    return PartialFile(folder / "frame.exr", size=len(CONTENT), md5=MD5, wait=lambda _: None)


def download(folder: Path, kill_at: int | None = None) -> Recorder:
    (folder / "frame.exr").write_bytes(b"of an earlier job")
    with recorded(kill_at) as recorder:
        file = partial(folder)
        try:
            file.receive(200, {}, iter([CONTENT[:1000], CONTENT[1000:]]))
            file.put_in_place()
        finally:
            file.close()
        recorder.answer()
    return recorder


def keep_a_token(folder: Path, kill_at: int | None = None) -> Recorder:
    store = TokenStore(folder / "credentials")
    store.write(OLD)
    with recorded(kill_at) as recorder:
        store.write(NEW)
        recorder.answer()
    return recorder


def note_a_submission(folder: Path, kill_at: int | None = None) -> Recorder:
    with recorded(kill_at) as recorder, ledger(folder).entry() as entry:
        recorder.happens(SENT)
        entry.made("00007")
        recorder.answer()
    return recorder


def ledger(folder: Path) -> Ledger:
    return Ledger(folder / "submissions", "http://service", "a title")


def test_a_download_is_synced_before_it_has_its_name(tmp_path: Path) -> None:
    recorder = download(tmp_path)

    assert recorder.renamed_to(tmp_path / "frame.exr") < recorder.kinds.index("answer")


def test_after_a_kill_at_any_moment_a_download_is_whole_or_goes_on(tmp_path: Path) -> None:
    seen = []
    for folder, recorder in each_kill(download, tmp_path):
        found = (folder / "frame.exr").read_bytes()
        assert found in (b"of an earlier job", CONTENT)
        assert found == CONTENT or not recorder.answered
        again = partial(folder)  # nobody has it locked
        if found != CONTENT:
            again.receive(206, {"Content-Range": f"bytes {again.count}-{len(CONTENT) - 1}/*"}, iter([]))
            assert again.right, "what was received is not asked for again"
        again.close()
        seen.append(found == CONTENT)

    assert set(seen) == {True, False}


def test_a_token_is_synced_before_it_replaces_another(tmp_path: Path) -> None:
    recorder = keep_a_token(tmp_path)

    assert recorder.renamed_to(tmp_path / "credentials") < recorder.kinds.index("answer")


def test_after_a_kill_at_any_moment_a_token_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    seen = []
    for folder, recorder in each_kill(keep_a_token, tmp_path):
        token = TokenStore(folder / "credentials").read()
        assert token in (OLD, NEW)
        assert token == NEW or not recorder.answered
        seen.append(token)

    assert OLD in seen
    assert NEW in seen


def test_the_job_of_a_submission_is_synced_before_it_can_be_read(tmp_path: Path) -> None:
    recorder = note_a_submission(tmp_path)
    (path,) = (tmp_path / "submissions").iterdir()

    assert recorder.events.index(SENT) < recorder.renamed_to(path) < recorder.kinds.index("answer")


def test_after_a_kill_at_any_moment_others_know_of_a_submission_that_was_sent(tmp_path: Path) -> None:
    seen = set()
    for folder, recorder in each_kill(note_a_submission, tmp_path):
        noted = [jid for _, jid in ledger(folder).read()]
        assert noted in ([], [""], ["00007"])
        assert noted or SENT not in recorder.events, "it may have made a job, and nobody would know"
        assert noted == ["00007"] or not recorder.answered
        seen.update(noted)

    assert seen == {"", "00007"}
