"""The secrets of a data directory: the same ones at every start, or a sentence that says what is wrong with them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from conductor_mock.cli import main
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import of_file
from conductor_mock.store.keys import (
    FILE,
    Keys,
    KeysError,
    check_keys,
    load_or_create,
    load_or_create_file,
    text_of,
)
from conductor_mock.store.shared_keys import BEFORE, shared_keys
from support.server import running


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def refusal(folder: Path) -> str | None:
    """What a start says of the keys, and a check as well; None where they are the same as before."""
    try:
        check_keys(folder)
    except KeysError as error:
        with pytest.raises(KeysError):
            load_or_create(folder)
        return str(error)
    return None


def test_any_one_changed_bit_is_told_and_none_is_another_identity(tmp_path: Path) -> None:
    keys = load_or_create(tmp_path)
    path = tmp_path / FILE
    whole = path.read_bytes()
    told = 0
    for bit in range(len(whole) * 8):
        path.write_bytes(flipped(whole, bit))
        said = refusal(tmp_path)
        if said is None:
            assert load_or_create(tmp_path) == keys
            continue
        told += 1
        assert f"{FILE} is damaged" in said
        assert "put a copy of it back" in said
        assert keys.private_key not in said
        assert path.read_bytes() == flipped(whole, bit), "what can still be repaired is left as it is"
    assert told > len(whole) * 7, "nearly every bit means something"


@pytest.mark.parametrize("text", ["", "[]", "5", "{}", '{"signing_key": "!"}', "[" * 100_000, "ü"])
def test_what_is_no_file_of_keys_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(KeysError, match="is damaged"):
        load_or_create(tmp_path)
    with pytest.raises(KeysError, match="is damaged"):
        check_keys(tmp_path)


def test_a_file_of_before_there_were_checksums_is_read_and_gets_one(tmp_path: Path) -> None:
    keys = load_or_create(tmp_path)
    document = json.loads((tmp_path / FILE).read_text())
    del document["checksum"]
    (tmp_path / FILE).write_text(json.dumps(document))
    check_keys(tmp_path)
    assert load_or_create(tmp_path) == keys
    assert "checksum" in json.loads((tmp_path / FILE).read_text())
    assert load_or_create(tmp_path) == keys


def test_to_look_at_the_keys_of_a_directory_without_any_makes_none(tmp_path: Path) -> None:
    check_keys(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fresh_keys_are_others_each_time() -> None:
    assert len({Keys.fresh().signing_key for _ in range(3)}) == 3


def test_a_file_of_keys_is_made_once_and_read_by_the_next_server(tmp_path: Path) -> None:
    file = tmp_path / "studio.keys"
    keys = load_or_create_file(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_or_create_file(file) == keys
    assert [path.name for path in tmp_path.iterdir()] == ["studio.keys"]


def test_servers_that_make_a_file_of_keys_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(load_or_create_file, [tmp_path / "studio.keys"] * 8))
    assert len({keys.signing_key for keys in made}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["studio.keys"]


@pytest.mark.parametrize("mode", [*range(0o400, 0o1000, 7), 0o440, 0o640, 0o600, 0o604, 0o660])
def test_a_file_of_keys_that_others_can_read_or_change_is_refused_by_its_name(
    tmp_path: Path, mode: int
) -> None:
    file = tmp_path / "studio.keys"
    keys = load_or_create_file(file)
    file.chmod(mode)
    if not mode & 0o400:
        return  # nobody but root reads it
    if mode & 0o027:
        with pytest.raises(
            KeysError, match=rf"--keys {file} can be read or changed by others \(mode {mode:04o}\)"
        ):
            load_or_create_file(file)
    else:
        assert load_or_create_file(file) == keys
    assert stat.S_IMODE(file.stat().st_mode) == mode, "it is the user's"


def test_a_mounted_secret_is_read_through_its_links_and_left_as_it_is(tmp_path: Path) -> None:
    keys = Keys.fresh()
    document = json.loads(text_of(keys))
    del document["checksum"]
    (tmp_path / "..data").mkdir()
    secret = tmp_path / "..data" / "keys"
    secret.write_text(json.dumps(document))
    secret.chmod(0o440)
    (tmp_path / "keys").symlink_to("..data/keys")
    assert load_or_create_file(tmp_path / "keys") == keys
    assert "checksum" not in json.loads(secret.read_text())


@pytest.mark.parametrize("text", ["", "[]", "{}", "\xff", "x" * 100_000])
def test_what_is_no_file_of_keys_is_told_by_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "studio.keys"
    file.write_text(text, encoding="latin-1")
    file.chmod(0o600)
    with pytest.raises(KeysError, match=r"studio\.keys is damaged"):
        load_or_create_file(file)
    with pytest.raises(KeysError, match="is no file"):
        load_or_create_file(Path(os.devnull))


def test_what_one_server_hands_out_holds_at_another_with_the_same_file_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "studio.keys"
    with running(keys=file) as one, running(keys=file) as other:
        assert one.service.keys == other.service.keys
        assert list(one.service.directory.glob(FILE)) == []
        caller, there = one.default_caller(), other.default_caller()
        there.token = caller.token
        assert there.get("/api/v1/jobs").status == 200
        url = caller.upload_url("/proj/a.ma", b"scene")
        assert there.put(url, b"scene", headers={"Content-Type": "application/octet-stream"}).status == 200


def test_the_environment_of_a_server_elsewhere_is_made_of_its_file_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "studio.keys"
    missing = CliRunner().invoke(main, ["env", "--url", "http://127.0.0.1:1", "--keys", str(file)])
    assert (missing.exit_code, file.exists()) == (2, False)
    keys = load_or_create_file(file)
    told = CliRunner().invoke(main, ["env", "--url", "http://127.0.0.1:1", "--keys", str(file), "--json"])
    assert json.loads(json.loads(told.output)["CONDUCTOR_API_KEY"])["private_key"] == keys.private_key
    alone = CliRunner().invoke(main, ["env", "--keys", str(file)])
    assert (alone.exit_code, "say with --url where it listens" in alone.output) == (2, True)
    both = ["env", "--url", "http://127.0.0.1:1", "--keys", str(file), "--data-dir", str(tmp_path)]
    told = CliRunner().invoke(main, both)
    assert (told.exit_code, "--data-dir: leave that out" in told.output) == (2, True)


def test_new_keys_for_data_of_before_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As where a copy is served without its file of --keys: what was handed out is void from then on."""
    with running(data_dir=tmp_path) as fake:
        fake.caller().submit()
    assert "new ones are made" not in caplog.text
    (tmp_path / FILE).unlink()
    with running(data_dir=tmp_path):
        assert f"{tmp_path} has no keys, so new ones are made" in caplog.text
    caplog.clear()
    with running(data_dir=tmp_path):
        assert "new ones are made" not in caplog.text


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(of_file(tmp_path / "shared.db")) as opened:
        yield opened


def folders(tmp_path: Path, *names: str) -> list[Path]:
    made = [tmp_path / name for name in names]
    for folder in made:
        folder.mkdir()
    return made


def test_servers_of_a_database_have_the_keys_of_the_first(tmp_path: Path, database: Database) -> None:
    first, second = folders(tmp_path, "first", "second")
    keys = shared_keys(database, "a run", first, None)
    assert shared_keys(database, "a run", second, None) == keys
    assert shared_keys(database, "the next", second, None) == keys
    assert load_or_create(first) == load_or_create(second) == keys, "so that a copy of the directory has them"


def test_the_keys_that_a_directory_has_already_are_taken_over(tmp_path: Path, database: Database) -> None:
    first, second = folders(tmp_path, "first", "second")
    before, others = load_or_create(first), load_or_create(second)
    assert shared_keys(database, "a run", first, None) == before
    assert shared_keys(database, "a run", second, None) == before, "one set of keys, whoever came first"
    assert json.loads((second / BEFORE).read_text())["private_key"] == others.private_key, "nothing is lost"
    assert stat.S_IMODE((second / BEFORE).stat().st_mode) == 0o600


def test_servers_with_different_keys_are_told_so_and_the_next_run_may_have_new_ones(
    tmp_path: Path, database: Database
) -> None:
    first, second = folders(tmp_path, "first", "second")
    given = load_or_create_file(tmp_path / "studio.keys")
    assert shared_keys(database, "a run", first, given) == given
    with pytest.raises(KeysError, match=r"have other keys.*the same --keys FILE, or none"):
        shared_keys(database, "a run", second, None)
    assert shared_keys(database, "a run", second, given) == given
    with pytest.raises(KeysError):
        shared_keys(database, "a run", second, load_or_create_file(tmp_path / "other.keys"))
    assert not (first / FILE).exists()
    assert shared_keys(database, "the next", second, None) != given
