"""The one spelling of an md5: what has it already is not spelt again, and comes out as if it were."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_mock.wire.md5 import canonical, from_base64, to_base64

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@given(st.binary(min_size=16, max_size=16), st.integers(0, 15))
def test_every_spelling_of_a_digest_has_the_same_canonical_one(digest: bytes, free_bits: int) -> None:
    spelt = to_base64(digest)
    other = f"{spelt[:21]}{ALPHABET[ALPHABET.index(spelt[21]) + free_bits]}=="
    assert canonical(spelt) == canonical(other) == spelt


@given(st.text(st.sampled_from("AQgwB+/=-_ \n"), max_size=26))
@example("A" * 22 + "==\n")
@example("A" * 21 + "\u0661==")
def test_what_is_no_digest_is_refused_however_it_is_read(text: str) -> None:
    try:
        digest = from_base64(text)
    except ValueError:
        with pytest.raises(ValueError):
            canonical(text)
    else:
        assert canonical(text) == to_base64(digest)
