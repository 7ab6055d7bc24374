"""The site of the documents: it builds without a warning, every page is reached, and nothing in it leads nowhere."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.programs import ROOT, python, run


def loaded(path: Path) -> ModuleType:
    """A script that lies in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hooks = loaded(ROOT / "docs" / "site_hooks.py")
hatch_build = loaded(ROOT / "hatch_build.py")

DOCUMENTS = sorted([*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in hooks.RENAMED)])
FILES = sorted(
    path
    for folder in ("docs", "examples", "contracts")
    for path in [ROOT / "LICENSE", *DOCUMENTS, *(ROOT / folder).rglob("*.*")]
    if path.is_file() and "__pycache__" not in path.parts
)


class Links(HTMLParser):
    """What a page leads to, what it loads, and the anchors that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.leads: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon"):
            self.loads.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    command = python("-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder))
    done = run(command, {"NO_MKDOCS_2_WARNING": "1"}, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def here(page: Path, link: str) -> tuple[Path, str] | None:
    """The file of the site and the anchor that a link means; None for one that leads elsewhere."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = page.parent / unquote(parts.path) if parts.path else page
    return Path(os.path.normpath(target)), unquote(parts.fragment)


def pages_of(site: Path) -> Iterator[tuple[Path, Links]]:
    for page in sorted(site.rglob("*.html")):
        if page.name != "404.html":
            yield page, Links(page)


def test_every_document_is_a_page_that_the_first_one_leads_to(site: Path) -> None:
    seen, ahead = set[Path](), [site / "index.html"]
    while ahead:
        page = ahead.pop()
        if page not in seen and page.suffix == ".html":
            seen.add(page)
            ahead += [meant[0] for link in Links(page).leads if (meant := here(page, link))]

    names = (Path(hooks.uri(document)) for document in DOCUMENTS)
    wanted = {
        site / (name.with_name("index") if name.stem == "README" else name).with_suffix(".html")
        for name in names
    }
    assert wanted - seen == set()


def test_nothing_in_the_site_leads_nowhere_or_is_loaded_from_elsewhere(site: Path) -> None:
    anchors = {page: links.anchors for page, links in pages_of(site)}
    wrong = []
    for page, links in pages_of(site):
        for link in [*links.leads, *links.loads]:
            meant = here(page, link)
            if meant is None:
                wrong += [f"{page.name} loads {link}"] if link in links.loads else []
            elif not meant[0].exists() or (meant[1] and meant[1] not in anchors.get(meant[0], {meant[1]})):
                wrong.append(f"{page.name}: {link}")

    assert len(anchors) >= len(DOCUMENTS)
    assert wrong == []


def test_no_page_shows_a_list_or_a_table_as_its_marks(site: Path) -> None:
    """What a forge takes for a list right below a line of text is none here: it wants an empty line between."""
    shown = []
    for page in site.rglob("*.html"):
        article = page.read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]
        text = re.sub(r"<(pre|code)\b[^>]*>.*?</\1>", "", article, flags=re.DOTALL)
        lines = re.sub(r"<[^>]+>", "", text).splitlines()
        shown += [
            f"{page.name}: {line}" for line in lines if re.match(r"\s*(\|.*\|\s*$|[-*] |\d+\. )|.*\]\(", line)
        ]

    assert shown == []


def test_every_document_has_one_place_in_the_navigation() -> None:
    def places(entry: object) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            yield from places(list(entry.values()))
        elif isinstance(entry, list):
            for each in entry:
                yield from places(each)

    assert sorted(places(hooks.navigation())) == sorted(map(hooks.uri, DOCUMENTS))


@given(st.sampled_from(DOCUMENTS), st.sampled_from(FILES), st.sampled_from(["", "#limits"]))
def test_a_link_of_a_document_means_the_same_file_in_the_site(page: Path, target: Path, rest: str) -> None:
    link = os.path.relpath(target, page.parent)
    text = hooks.rewritten(f"see [it]({link}{rest}), [that](https://example.com/a) and [there](#here)", page)
    (found,) = re.findall(r"\[it\]\(([^)]*)\)", text)
    path, _, fragment = found.partition("#")

    assert os.path.normpath(Path(hooks.uri(page)).parent / path) == hooks.uri(target)
    assert f"#{fragment}" == (rest or "#")
    assert text.endswith("), [that](https://example.com/a) and [there](#here)")


@given(st.lists(st.sampled_from(FILES)))
def test_the_site_calls_different_files_differently(files: list[Path]) -> None:
    assert len({hooks.uri(path) for path in files}) == len(set(files))
    assert all(hooks.source(hooks.uri(path)) == path for path in files if path in DOCUMENTS)


def test_the_pictures_of_the_documents_are_small_and_each_is_shown() -> None:
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    shown = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)

    assert all(picture.stat().st_size < 100_000 for picture in pictures)
    assert [picture.name for picture in pictures if f"images/{picture.name})" not in shown] == []


words = st.text(st.characters(categories=["L", "Nd", "Zs"], include_characters="`[]"), max_size=20).filter(
    lambda text: (
        re.sub(r"\[[^\[\]]*\]", "", text).count("[") + re.sub(r"\[[^\[\]]*\]", "", text).count("]") == 0
    )
)


@given(words, st.sampled_from(["docs/security.md", "#limits", "../a/b.png", "LICENSE"]))
def test_an_index_is_told_the_words_of_a_link_that_it_cannot_follow(text: str, target: str) -> None:
    assert hatch_build.for_an_index(f"a [{text}]({target}) b") == f"a {text} b"
    assert (
        hatch_build.for_an_index(f"a\n![{text.replace('[', '').replace(']', '')}]({target})\n\nb") == "a\nb"
    )
    outside = f"a [{text}](https://example.com/{target}) b"
    assert hatch_build.for_an_index(outside) == outside


def test_the_readme_has_no_relative_link_outside_of_the_repository() -> None:
    text = hatch_build.for_an_index((ROOT / "README.md").read_text(encoding="utf-8"))

    assert re.findall(r"\]\((?!https?:)", text) == []
    assert "How faithful" in text
    assert "pip install './client[cli]'" in text, "code stays"
