"""The glossary of the architecture page: each word once, and none of the words that it replaces as an identifier."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

import conductor_mock

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
SERVER = Path(conductor_mock.__file__).parent
WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


def rows() -> list[tuple[str, str]]:
    """Each term of the glossary with what it replaces."""
    text = PAGE.read_text(encoding="utf-8").partition("## Glossary")[2]
    table = text.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [(term, instead) for term, meaning, instead in cells if meaning]


def retired() -> list[str]:
    return [word for _, instead in rows() for word in re.findall(r"`([^`]+)`", instead)]


@cache
def identifiers(text: str) -> tuple[tuple[int, str], ...]:
    """Every name in a module's text, with its line."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return tuple((token.start[0], token.string) for token in tokens if token.type == tokenize.NAME)


def imported(text: str, package: str) -> set[str]:
    """The names under which a module imports others of a package of the server."""
    return {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module == f"conductor_mock.{package}"
        for alias in node.names
    }


def is_back(word: str, name: str) -> bool:
    """Whether an identifier uses a retired word: a capitalised one as it is, others as one of its words."""
    return name == word if word[0].isupper() else word in (part.lower() for part in WORD.findall(name))


def modules() -> Mapping[str, str]:
    """The text of every module of the server, by its path."""
    return {
        path.relative_to(SERVER).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(SERVER.rglob("*.py"))
    }


def test_every_term_stands_once_and_in_its_place() -> None:
    terms = [term for term, _ in rows()]

    assert len(terms) > 30
    assert terms == sorted(set(terms), key=str.casefold)


@pytest.mark.parametrize("word", retired())
def test_a_word_that_was_replaced_does_not_come_back(word: str) -> None:
    if "/" in word:  # a module: neither the file nor an import under its name
        found = [
            path
            for path, text in modules().items()
            if path == word or Path(word).stem in imported(text, Path(word).parent.name)
        ]
    else:
        found = [
            f"{path}:{line} {name}"
            for path, text in modules().items()
            for line, name in identifiers(text)
            if is_back(word, name)
        ]

    assert not found, f"docs/architecture.md#glossary names the word to use instead of {word}: {found}"


def test_a_retired_word_is_found_in_a_name_made_of_several() -> None:
    found = [name for _, name in identifiers("self.mail_deliveries = Deliveries(wanted)  # deliveries\n")]

    assert [name for name in found if is_back("deliveries", name)] == ["mail_deliveries", "Deliveries"]
    assert [name for name in found if is_back("Wanted", name)] == []
