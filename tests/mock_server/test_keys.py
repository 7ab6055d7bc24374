"""The secrets of a data directory: the same ones at every start, or a sentence that says what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conductor_mock.store.keys import FILE, Keys, KeysError, check_keys, load_or_create


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
