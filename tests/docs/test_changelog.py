"""The changelog: each change is told once, also where two lines of work met."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

CHANGELOG = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")


def bullets(text: str) -> list[str]:
    """Each bullet of a section, in one line."""
    return [" ".join(bullet.split()) for bullet in re.split(r"^(?:- |#.*$)", text, flags=re.MULTILINE)[1:]]


def test_no_change_is_told_twice() -> None:
    begun = Counter(bullet[:60] for bullet in bullets(CHANGELOG) if len(bullet) > 60)
    assert [words for words, times in begun.items() if times > 1] == []


def test_no_bullet_is_the_beginning_of_another_sentence() -> None:
    assert [bullet for bullet in bullets(CHANGELOG) if bullet and bullet[-1] not in ".:)`!"] == []
