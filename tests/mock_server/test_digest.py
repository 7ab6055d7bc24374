"""The md5 of a body as it is read, beside the reading when the body is large."""

from __future__ import annotations

import hashlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.store import digest as digest_module
from conductor_mock.store.digest import Digest


def md5_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("conductor-mock-md5")]


@given(st.lists(st.binary(max_size=50), max_size=30), st.integers(0, 200))
def test_it_is_the_md5_of_all_blocks_with_a_thread_and_without(blocks: list[bytes], alone: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digest_module, "ALONE_BYTES", alone)
        with Digest() as digest:
            for block in blocks:
                digest.update(block)
            assert digest.hexdigest() == hashlib.md5(b"".join(blocks)).hexdigest()


def test_only_a_large_body_gets_a_thread_and_leaving_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_module, "ALONE_BYTES", 100)
    with Digest() as digest:
        digest.update(bytes(100))
        before = md5_threads()
        digest.update(bytes(1))
        after = md5_threads()
    assert (before, len(after), md5_threads()) == ([], 1, [])
