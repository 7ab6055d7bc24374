"""What makes a site of these pages (`make site`): the README is its first page, and what pages link is there.

The pages are written for the repository, where links lead to any file of it. In the site the README is `index.md`, the
changes are `changelog.md`, and another file from outside of this folder lies under `repository/`, as it is. Every page
has a place in the navigation, by its folder. https://www.mkdocs.org/user-guide/configuration/#hooks
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
RENAMED: Mapping[str, str] = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "examples/submitter/README.md": "tutorial/example.md",
    "contracts/conductor_contracts/interactions/README.md": "reference/interactions.md",
}
"""Pages from outside of this folder, and what they are called in the site."""
TITLES: Mapping[str, str] = {
    "tutorial": "Tutorial",
    "how-to": "How to",
    "guide": "Guide",
    "reference": "Reference",
    "fidelity": "Fidelity",
}
"""The sections, in their order; other folders follow by name, and at last the pages that lie in none."""
ABOUT = "About"

LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#]+)(?P<rest>#[^)\s]*)?(?=\))")


def uri(path: Path) -> str:
    """What the site calls a file of the repository."""
    name = path.relative_to(ROOT).as_posix()
    if name in RENAMED:
        return RENAMED[name]
    return path.relative_to(DOCS).as_posix() if path.is_relative_to(DOCS) else f"repository/{name}"


def source(name: str) -> Path:
    """The file of the repository that the site calls so."""
    outside = next((old for old, new in RENAMED.items() if new == name), None)
    return ROOT / outside if outside else DOCS / name


def targets(text: str, page: Path) -> Iterator[tuple[re.Match[str], Path]]:
    """The links of a page to files of the repository."""
    for link in LINK.finditer(text):
        target = Path(os.path.normpath(page.parent / link["path"]))
        if "://" not in link["path"] and target.is_relative_to(ROOT) and target.is_file():
            yield link, target


def rewritten(text: str, page: Path) -> str:
    """The text of a page of the repository with its links as the site has them."""
    parts, end, here = [], 0, PurePosixPath(uri(page)).parent
    for link, target in targets(text, page):
        parts += [text[end : link.start()], os.path.relpath(uri(target), here), link["rest"] or ""]
        end = link.end()
    return "".join([*parts, text[end:]])


def navigation() -> list[Any]:
    """Every page, by its folder: a section for each, which a page of the folder's name begins."""
    folders: dict[str, list[str]] = {name: [] for name in TITLES}
    rest = ["changelog.md"]
    for page in sorted(DOCS.rglob("*.md")):
        name = page.relative_to(DOCS)
        folder = name.parts[0] if len(name.parts) > 1 else name.stem
        if len(name.parts) > 1 or (DOCS / folder).is_dir():
            folders.setdefault(folder, []).append(name.as_posix())
        else:
            rest.append(name.as_posix())
    for outside in RENAMED.values():
        if "/" in outside:
            folders.setdefault(PurePosixPath(outside).parts[0], []).append(outside)
    sections = [
        {
            TITLES.get(name, name.replace("-", " ").capitalize()): sorted(
                pages, key=lambda page: page.count("/")
            )
        }
        for name, pages in folders.items()
        if pages
    ]
    return [{"Start": "index.md"}, *sections, {ABOUT: rest}]


def on_config(config: MkDocsConfig) -> None:
    """Give the site its navigation."""
    config.nav = navigation()


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add what lies outside of this folder: the renamed pages, and files that pages link."""
    for old, new in RENAMED.items():
        files.append(File.generated(config, new, abs_src_path=str(ROOT / old)))
    pages = [source(file.src_uri) for file in files.documentation_pages()]
    for target in sorted({target for page in pages for _, target in targets(page.read_text("utf-8"), page)}):
        if uri(target).startswith("repository/") and target.suffix != ".md":
            files.append(File.generated(config, uri(target), abs_src_path=str(target)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links of a page lead to where the site has what they mean."""
    return rewritten(markdown, source(page.file.src_uri))
