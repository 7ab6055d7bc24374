"""What `json_text.read` lets through is JSON that everything behind it can hold: nobody need look again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_contracts import json_text
from conductor_contracts.json_text import JsonTextError
from conductor_contracts.json_values import first_impossible_value

texts = st.text(st.characters(exclude_categories=()), max_size=5) | st.sampled_from(
    ["\\ud800", "\\\ud800", "\ud800", "\udfff", "\ud83d\ude00", "\\u0041", "\U0001f600"]
)
"""Halves of characters among them, and what is only written like one."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values, st.integers(0, 120), st.booleans())
@example("\ud800", 0, True)
@example({"\udc00": 1}, 0, True)
@example(float("inf"), 0, True)
@example([], 99, True)
def test_what_is_read_holds_nothing_that_json_cannot(value: Any, levels: int, in_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=in_ascii).encode("utf-8", "surrogatepass")
    try:
        read = json_text.read(b"[" * levels + text + b"]" * levels)
    except JsonTextError:
        return
    assert first_impossible_value(read) is None


@pytest.mark.parametrize("escape", [r"\ud800", r"\uD800", r"\uDFFF\ud800", r"\\\udfff"])
def test_half_of_a_character_is_refused_however_it_is_written(escape: str) -> None:
    with pytest.raises(JsonTextError, match="half of a surrogate pair"):
        json_text.read(f'["{escape}"]'.encode())
    with pytest.raises(JsonTextError, match="half of a surrogate pair"):
        json_text.read(f'{{"{escape}": 1}}'.encode())


@pytest.mark.parametrize("text", [r"\\ud800", r"\ud83d\ude00", r"A\\uD", r"d"])
def test_what_is_only_written_like_half_a_character_is_taken(text: str) -> None:
    assert json_text.read(f'["{text}"]'.encode()) == [json.loads(f'"{text}"')]


@pytest.mark.parametrize("blank", [b"", b" \n\t\r", "\u00a0".encode()])
def test_nothing_but_white_space_is_told_as_an_empty_body(blank: bytes) -> None:
    with pytest.raises(JsonTextError, match="is empty"):
        json_text.read(blank)
