"""Which parts of an upload are remembered to be there: those of this very upload, until it is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.lib.files import cache_file
from conductor.lib.upload.part_memory import PartMemory
from conductor.lib.upload.plan import MultiPart

PLAN = MultiPart("/a", "up1", 10, {1: "http://store.test/1", 2: "http://store.test/2"})
ORIGIN = "http://service.test"
MD5 = "kAFQmDzST7DWlj99KOF/cg=="


def test_the_parts_that_were_sent_are_known_again(tmp_path: Path) -> None:
    memory = PartMemory(tmp_path / "cache.db", ORIGIN)
    assert memory.etags(PLAN, MD5) == {}
    memory.remember(PLAN, MD5, 1, "old")
    memory.remember(PLAN, MD5, 1, "one")
    memory.remember(PLAN, MD5, 2, "two")
    memory.remember(PLAN, MD5, 3, "no part of the plan")
    assert PartMemory(tmp_path / "cache.db", ORIGIN).etags(PLAN, MD5) == {1: "one", 2: "two"}


@pytest.mark.parametrize(
    ("origin", "plan", "md5"),
    [
        ("http://other.test", PLAN, MD5),
        (ORIGIN, PLAN._replace(upload_id="up2"), MD5),
        (ORIGIN, PLAN._replace(part_size=11), MD5),
        (ORIGIN, PLAN._replace(urls={**PLAN.urls, 3: "http://store.test/3"}), MD5),
        (ORIGIN, PLAN, "1B2M2Y8AsgTpgAmY7PhCfg=="),
    ],
    ids=["service", "upload", "size of parts", "number of parts", "content"],
)
def test_parts_count_for_their_own_upload_only(
    tmp_path: Path, origin: str, plan: MultiPart, md5: str
) -> None:
    PartMemory(tmp_path / "cache.db", ORIGIN).remember(PLAN, MD5, 1, "one")
    other = PartMemory(tmp_path / "cache.db", origin)
    assert other.etags(plan, md5) == {}
    other.forget(plan, md5)
    assert PartMemory(tmp_path / "cache.db", ORIGIN).etags(PLAN, MD5) == {1: "one"}


def test_an_upload_that_is_over_is_forgotten(tmp_path: Path) -> None:
    memory = PartMemory(tmp_path / "cache.db", ORIGIN)
    memory.remember(PLAN, MD5, 1, "one")
    memory.forget(PLAN, MD5)
    assert memory.etags(PLAN, MD5) == {}


def test_the_oldest_parts_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cache_file.KEPT, "parts", 10)
    memory = PartMemory(tmp_path / "cache.db", ORIGIN)
    plan = PLAN._replace(urls={number: f"http://store.test/{number}" for number in range(1, 26)})
    for number in plan.urls:
        memory.remember(plan, MD5, number, str(number))
    assert sorted(memory.etags(plan, MD5)) == list(range(16, 26))
