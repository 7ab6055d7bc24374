"""What a browser does with a content: nothing but save it, whatever it is called and however it is asked for."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.api.objects import MEDIA_TYPES, UNNAMED_TYPE, media_type
from conductor_mock.api.signed import download_url
from conductor_mock.farm.ids import account_id
from support.security_page import PAGE
from support.server import ORIGIN, ApiCaller, md5_of, running

CONTENT = b"<html><script>fetch('/_mock/reset', {method: 'POST'})</script></html>"
RUN = {
    "html",
    "svg",
    "xml",
    "javascript",
    "xhtml",
    "pdf",
    "css",
    "flash",
    "wasm",
    "x-shockwave",
    "mhtml",
    "rfc822",
    "vtt",
    "hta",
}
NAMES = [
    "x.html", "x.HTML", "x.htm", "x.xhtml", "x.svg", "x.svgz", "x.xml", "x.js", "x.mjs", "x.pdf", "x.swf", "x.mht",
    "x.css", "x.shtml", "x.xsl", "x.hta", "x.png.html", "x", "html", ".html", "x.", "x.html.", "x.html ", "x.png\u0130",
]  # fmt: skip


@pytest.fixture(scope="module")
def url() -> Iterator[tuple[ApiCaller, str]]:
    """A caller, and the signed URL of a content whose bytes are a page with a script."""
    with running() as fake:
        caller = fake.caller()
        caller.upload("/proj/x.html", CONTENT)
        with fake.app.test_request_context(base_url=ORIGIN):
            yield caller, download_url(account_id(caller.client_id), md5_of(CONTENT), "x.html")


def named(url: str, name: str) -> str:
    before, mark, query = url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}{mark}{query}"


HOW: list[dict[str, str]] = [
    {},
    {"Range": "bytes=0-5"},
    {"If-None-Match": "*"},
    {"If-Range": '"x"', "Range": "bytes=1-"},
]


@pytest.mark.parametrize(("method", "headers"), list(product(["GET", "HEAD"], HOW)), ids=str)
def test_a_content_is_saved_and_never_shown(
    url: tuple[ApiCaller, str], method: str, headers: dict[str, str]
) -> None:
    caller, where = url
    answer = caller.request(method, where, headers=headers)
    assert answer.status in (200, 206, 304)
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox;")
    assert "allow-" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("name", NAMES)
def test_a_name_makes_no_type_that_a_browser_runs(name: str) -> None:
    assert media_type(name) == UNNAMED_TYPE


@given(name=st.text(max_size=12) | st.sampled_from(sorted(mimetypes.types_map)).map(lambda end: f"x{end}"))
def test_a_type_is_one_of_the_list(name: str) -> None:
    given_type = media_type(name)
    assert given_type in {*MEDIA_TYPES.values(), UNNAMED_TYPE}
    assert not any(word in given_type for word in RUN)


def test_the_page_names_the_types() -> None:
    words = PAGE.partition("## What is served of others")[2].partition("\n## ")[0]
    for kind in set(MEDIA_TYPES.values()):
        shown = {"x-exr": "EXR", "quicktime": "QuickTime", "plain": "plain text", "webp": "WebP"}
        assert shown.get(kind.partition("/")[2], kind.partition("/")[2].upper()) in words, kind
