"""Every citation of the wire reference, of a trap and of the design leads to a place that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from conductor_contracts.contract import load as load_contract
from conductor_contracts.interactions import load_interactions
from conductor_contracts.sources import linked, places

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WIRE = (DOCS / "wire-protocol.md").read_text(encoding="utf-8")
DESIGN = (DOCS / "design.md").read_text(encoding="utf-8")

FOLDERS = ("benchmarks", "client", "contracts", "docs", "examples", "mock_server", "tests")
ENDINGS = {".html", ".md", ".py", ".toml", ".yaml", ".yml"}

GAP = r"[\s#]+"  # a citation may run over the end of a line, also of a comment
TRAPS = re.compile(rf"\b[Tt]raps?{GAP}(?P<numbers>\d+\b(?:(?:,|{GAP}and|{GAP}to){GAP}\d+\b)*)")
OF_DESIGN = re.compile(rf"\(design,{GAP}(?P<what>[^()]+)\)")
NUMBERED = re.compile(rf"\b[Ww]ire{GAP}reference\b[^\d\n.|]{{0,12}}(?=\d)")
BARE = re.compile(r"(?<=\s)\((?:[^()]*[,;] )?\d{1,2}\.\d{1,2}(?:\.\d)?\)(?!\()")
"""What looks like a citation that does not say of what: `(7.3)`."""


@dataclass(frozen=True)
class Citation:
    """An anchor that a text stands on, and where the text is."""

    where: str
    anchor: str


def anchors(page: str) -> list[str]:
    return re.findall(r'<a id="([^"]+)"></a>', page)


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """The path and text of every file that may cite, generated and cited pages left out."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]
    files += [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), *ROOT.glob("*.py")]
    return tuple(
        (path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(files)
        if path.is_file() and path not in (DOCS / "wire-protocol.md", Path(__file__))
    )


def line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def of_the_wire() -> Iterator[Citation]:
    for path, text in texts():
        for place in places(text):
            yield Citation(f"{path}:{line(text, place.start)}", place.anchor)


def of_traps() -> Iterator[Citation]:
    for path, text in texts():
        for found in TRAPS.finditer(text):
            for number in re.findall(r"\d+", found["numbers"]):
                yield Citation(f"{path}:{line(text, found.start())}", f"trap-{number}")


def of_the_design() -> Iterator[Citation]:
    for path, text in texts():
        for found in OF_DESIGN.finditer(text):
            where = f"{path}:{line(text, found.start())}"
            what = re.sub(GAP, " ", found["what"])
            rules = re.fullmatch(r"rules? (\d+(?:(?:, | and )\d+)*)", what)
            if rules:
                yield from (Citation(where, f"rule-{one}") for one in re.findall(r"\d+", rules[1]))
            else:
                yield Citation(where, what.lower().replace(" ", "-"))


@pytest.mark.parametrize("page", [WIRE, DESIGN], ids=["wire-protocol.md", "design.md"])
def test_an_anchor_stands_once_in_its_page(page: str) -> None:
    found = anchors(page)

    assert len(found) == len(set(found))


def test_every_section_of_the_wire_reference_has_its_number_as_anchor() -> None:
    numbers = re.findall(r"^#{2,4} (\d+(?:\.\d+)*) ", WIRE, re.MULTILINE)

    assert len(numbers) > 60
    assert re.findall(r'<a id="([\d.]+)"></a>\n\n#{2,4} ', WIRE) == numbers
    assert [one for one in anchors(WIRE) if one.startswith("trap-")] == [f"trap-{n}" for n in range(1, 41)]


def test_every_citation_of_the_wire_reference_leads_somewhere() -> None:
    found, known = list(of_the_wire()), set(anchors(WIRE))

    assert len(found) > 1000, "citations are not found any more"
    assert not [one for one in found if one.anchor not in known]


def test_every_citation_of_a_trap_leads_somewhere() -> None:
    found, known = list(of_traps()), set(anchors(WIRE))

    assert len(found) > 40, "citations are not found any more"
    assert not [one for one in found if one.anchor not in known]


def test_every_citation_of_the_design_leads_somewhere() -> None:
    found, known = list(of_the_design()), set(anchors(DESIGN))

    assert len(found) > 15, "citations are not found any more"
    assert not [one for one in found if one.anchor not in known]


def test_a_number_after_the_wire_reference_or_the_design_is_cited_in_the_one_form() -> None:
    """`wire reference 2.6` and `(design, rule 3)`, and not `wire reference, section 2.6` or `design, no. 3`."""
    odd = []
    for path, text in texts():
        cited = {place.start for place in places(text)}
        odd += [
            f"{path}:{line(text, found.start())}"
            for found in NUMBERED.finditer(text)
            if found.end() not in cited and not found[0].endswith("[")
        ]
        odd += [
            f"{path}:{line(text, found.start())}"
            for found in re.finditer(r"\(design,", text)
            if not OF_DESIGN.match(text, found.start())
        ]

    assert not odd


def test_no_comment_or_docstring_cites_a_bare_number() -> None:
    odd = [
        f"{path}:{line(text, found.start())}"
        for path, text in texts()
        if path.endswith(".py")
        for prose in re.finditer(r'"""(?:.|\n)*?"""|#[^\n]*', text)
        for found in BARE.finditer(prose[0])
        if not re.search(r"wire[\s#]+reference[^()]*$", prose[0][: found.end() - 1])
    ]

    assert not odd


def test_pages_link_what_they_cite() -> None:
    pages = [
        (path, re.sub(r"`[^`\n]*`", lambda code: " " * len(code[0]), text))
        for path, text in texts()
        if path.startswith("docs/")
    ]
    plain = [f"{path}:{line(text, place.start)}" for path, text in pages for place in places(text)]
    links = [
        (path, number, anchor)
        for path, text in pages
        for number, anchor in re.findall(r"\[(\d[\d.]*)\]\([^)#]*wire-protocol\.md#([^)]+)\)", text)
    ]

    assert not plain, "cite as `wire reference [2.6](wire-protocol.md#2.6)` in a page"
    assert len(links) > 500
    assert not [one for one in links if one[2] not in (one[1], f"trap-{one[1].removeprefix('9.')}")]


def test_every_tag_of_a_source_is_in_the_legend() -> None:
    legend = set(re.findall(r"^\| \[(\w+)\] \|", WIRE, re.MULTILINE))
    sources = {row.source for row in load_contract().fidelity()}
    sources |= {one.source for one in load_interactions()}
    prose = re.sub(r"```.*?```|`[^`]*`", "", WIRE, flags=re.DOTALL)

    assert len(legend) > 12
    assert {tag.name for tag in load_contract().tags} <= legend
    for text in [*sources, prose]:
        for tag in re.findall(r"\[([^\]\n]+)\](?!\()", text):
            assert tag.split()[0] in legend, (tag, text[:80])


def test_every_trap_of_an_operation_and_an_interaction_leads_somewhere() -> None:
    numbers = {trap for one in load_contract().operations.values() for trap in one.traps}
    numbers |= {trap for one in load_interactions() for trap in one.traps}

    assert len(numbers) > 30
    assert {f"trap-{number}" for number in numbers} <= set(anchors(WIRE))


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("the wire (wire reference 2.6).", ["2.6"]),
        ("wire reference 2.21 [2019], 2.23 [companion], 10.14", ["2.21", "2.23", "10.14"]),
        ("wire reference 2.22 (an older vendor tool), 2.9 [3rd]", ["2.22", "2.9"]),
        ("# of before (wire reference\n# 3.5 and 9.26): 20 files", ["3.5", "trap-26"]),
        ("wire reference 2.14 to 2.17, 2.19; 3 of them", ["2.14", "2.17", "2.19"]),
        ("the wire reference says 5", []),
    ],
)
def test_a_citation_is_read_with_all_that_it_names(text: str, cited: list[str]) -> None:
    assert [place.anchor for place in places(text)] == cited


def test_a_source_becomes_links() -> None:
    assert linked("wire reference 2.6, 9.9 [ran]: no", "w.md") == (
        "wire reference [2.6](w.md#2.6), [9.9](w.md#trap-9) [ran]: no"
    )


def test_every_tag_of_the_contract_has_a_row_in_the_wire_reference() -> None:
    table = WIRE.partition('<a id="tags"></a>')[2].partition('<a id="0">')[0]
    rows = set(re.findall(r"^\| \[(\w+)\] \|", table, re.MULTILINE))

    assert {tag.name for tag in load_contract().tags} <= rows
    assert len(rows) >= 10
