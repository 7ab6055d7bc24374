"""Every link of a page, every anchor and every path that a page names leads to something that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (".github", "benchmarks", "client", "contracts", "docs", "examples", "mock_server", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])

LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
PATH = re.compile(rf"`(?P<path>(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]+)`")
TEST = re.compile(r"`(?P<name>test_\w+\*?\.py)`")
IN_CODE = re.compile(
    r"\b(?:docs/[\w/-]+\.md|(?:client|contracts|mock_server|tests)/[\w/]+\.(?:py|md|yaml))\b"
)


def prose(path: Path) -> str:
    """The text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


@cache
def anchors(path: Path) -> frozenset[str]:
    """Everything in a page that a fragment may name."""
    text = prose(path)
    names = re.findall(r'<a id="([^"]+)"></a>', text)
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE):
        name = slug(heading)
        count = seen[name] = seen.get(name, -1) + 1
        names.append(f"{name}-{count}" if count else name)
    return frozenset(names)


def wrong(page: Path, target: str) -> str | None:
    """Why a link of a page leads nowhere, if it does."""
    name, _, fragment = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists():
        return f"{target}: there is no {name}"
    if not path.is_relative_to(ROOT):
        return f"{target} leads out of the repository"
    if fragment and path.suffix == ".md" and fragment not in anchors(path):
        return f"{target}: {path.name} has no anchor {fragment}"
    return None


def links(page: Path) -> Iterator[str]:
    for found in LINK.finditer(re.sub(r"`[^`]*`", "", prose(page))):
        if "://" not in found["target"]:
            yield found["target"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert not [why for why in (wrong(page, target) for target in links(page)) if why]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    named = [found["path"] for found in PATH.finditer(prose(page))]
    tests = [found["name"] for found in TEST.finditer(prose(page))]

    assert not [path for path in named if not any(ROOT.glob(path.rstrip("/")))]
    assert not [name for name in tests if not any((ROOT / "tests").rglob(name))]


def test_every_page_and_module_that_code_names_is_there() -> None:
    missing = [
        f"{path.relative_to(ROOT)} names {name}"
        for folder in ("benchmarks", "client", "contracts", "examples", "mock_server", "tests")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".yaml", ".html"}
        for name in IN_CODE.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    ]

    assert not missing


def test_every_page_of_the_documents_is_reached_from_the_readme() -> None:
    seen, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in seen:
            seen.add(page)
            targets = [
                (page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"
            ]
            ahead += [target for target in targets if target.suffix == ".md" and target.exists()]

    assert not [page for page in PAGES if page.is_relative_to(ROOT / "docs") and page not in seen]


def test_the_links_are_found() -> None:
    """The tests above find nothing where the pattern finds no link."""
    found = {page.relative_to(ROOT).as_posix(): len(list(links(page))) for page in PAGES}

    assert found["README.md"] > 15
    assert found["docs/fidelity.md"] > 500
    assert found["docs/wire-protocol.md"] > 40


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no-such-page.md", "there is no no-such-page.md"),
        ("#no-such-section", "has no anchor no-such-section"),
        ("docs/wire-protocol.md#trap-41", "has no anchor trap-41"),
        ("../elsewhere", "there is no ../elsewhere"),
        ("#how-faithful", None),
        ("docs/wire-protocol.md#trap-40", None),
    ],
)
def test_a_link_that_leads_nowhere_is_told(target: str, said: str | None) -> None:
    why = wrong(ROOT / "README.md", target)

    assert why is None if said is None else said in (why or "")


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("`conductor-mock run -- COMMAND`", "conductor-mock-run----command"),
        ("Rule 1: whatever the fold reads", "rule-1-whatever-the-fold-reads"),
        ("files.get_upload_urls", "filesget_upload_urls"),
    ],
)
def test_headings_have_the_anchors_that_the_forge_makes(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor
