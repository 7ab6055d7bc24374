"""Every page in a browser: it breaks no policy, says nothing to the console, fits a phone, and keeps nobody out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from browser import axe
from browser.chromium import PHONE, WIDE, window
from browser.farms import Farm
from support.filled import Filler, frames

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.parametrize(
    ("size", "dark"),
    [
        pytest.param(WIDE, False, id="wide, light"),
        pytest.param(PHONE, True, id="phone, dark"),
        pytest.param(WIDE, True, id="wide, dark", marks=pytest.mark.prove),
        pytest.param(PHONE, False, id="phone, light", marks=pytest.mark.prove),
    ],
)
def test_every_page_can_be_used_by_everybody_and_fits(
    browser: Browser, full_farm: Farm, size: tuple[int, int], dark: bool
) -> None:
    wrong = {}
    with window(browser, full_farm.url, size, dark=dark) as shown:
        for path in full_farm.paths():
            page = shown.page(path)
            found = axe.violations(page)
            if page.locator("h1").count() != 1:
                found.append("there is no one heading")
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append("it scrolls sideways")
            if page.evaluate(
                "[...document.querySelectorAll('header a')].some((one) => one.offsetHeight > 45)"
            ):
                found.append("a word of its navigation is broken")
            if found:
                wrong[path] = found
            page.close()
        assert wrong == {}
        assert shown.errors == []


def test_the_head_is_a_row_and_else_its_pages_are_the_second_one(browser: Browser, farm: Farm) -> None:
    """Whatever the accounts are called, and with the bar that a long page is scrolled by."""
    names = ["a", "W" * 64, "studio of the north, lighting"]
    for name in names:
        Filler(farm.url, name, "a key")
    for width, rows in ((1920, 1), (1280, 1), (1280 - 15, 1), (1100, 2), (900, 2)):
        with window(browser, farm.url, (width, 900)) as shown:
            for name in names:
                page = shown.page(f"/?account={quote(name)}")
                boxes = page.evaluate(
                    "[...document.querySelectorAll('.bar .name, .bar [role=search], .bar .account button, .bar nav')]"
                    ".map((one) => one.getBoundingClientRect()).map((box) => [box.top, box.bottom, box.right])"
                )
                assert max(right for _, _, right in boxes) <= width, (width, name)
                middles = [(top + bottom) / 2 for top, bottom, _ in boxes]
                assert len({round(middle / 20) for middle in middles}) == rows, (width, name, middles)
                page.close()


def test_every_page_works_without_its_script(browser: Browser, full_farm: Farm) -> None:
    with window(browser, full_farm.url, script=False) as shown:
        for path in full_farm.paths():
            page = shown.page(path)
            assert page.locator("h1").is_visible(), path
            page.close()
        page = shown.page("/job/7")
        page.locator("summary", has_text="Kill").click()
        page.get_by_role("button", name="Kill").click()
        assert page.locator("#job .chip").first.inner_text() == "■ killed"
        page.get_by_role("link", name="Clock").click()
        page.get_by_role("button", name="+ 1 hour").click()
        assert page.url.endswith("/clock")


MARK = "hostile"
HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "<math><mtext></p><img src=x onerror=alert(1)>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<base href=//evil.example/>",
    "<form action=//evil.example><button>x</button></form>",
    "<object data=//evil.example></object>",
    "<embed src=//evil.example>",
    "<details open ontoggle=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</pre></section><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    '" autofocus onfocus=alert(1) x="',
    "' onmouseover=alert(1) '",
    "` onclick=alert(1) `",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "{% include 'base.html' %}",
    "${7*7}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "\u202etpircs\u202c <b>right to left</b>",
    "\u0007\u001b[31mcontrol\u001b[0m",
    "a" * 3000,
    "\U0001f4a5" * 50 + "<i>",
    "../../../etc/passwd<b>",
]


def test_what_a_client_says_is_text_and_does_nothing(browser: Browser, farm: Farm) -> None:
    """In every field that a client can send; what it is read as is read by the browser, not by us."""
    assert len(HOSTILE) >= 40
    client = farm.client
    for text in HOSTILE:
        fields: dict[str, Any] = {
            "project": text,
            "owner": text,
            "location": text,
            "output_path": f"/{text}",
            "metadata": {text: text},
            "environment": {text: text},
            "instance_type": text,
            "tasks_data": [{"command": text, "frames": "1"}, *frames(1)],
            "upload_files": [{"destination": f"/{text}", "md5": "1B2M2Y8AsgTpgAmY7PhCfg==", "st_size": 0}],
            "notify": {"emails": [f"{text}@example.com"]},
            f"x{text}": text,
        }
        client.submit(f"{MARK} {text}", **fields)
    client.pass_time(until="idle")

    with window(browser, farm.url) as shown:
        shown.context.on("page", lambda page: page.on("dialog", lambda box: shown.errors.append(box.message)))
        page = shown.page("/")
        cells = page.locator("td[data-label=Title]")
        told = [cell.removeprefix(f"{MARK} ") for cell in cells.all_text_contents()]
        assert list(reversed(HOSTILE)) == told
        places = farm.paths()
        for number in range(1, len(HOSTILE) + 1):
            for path in (f"/job/{number}", f"/jobs/{number}/0"):
                page.goto(farm.url + path)
                assert page.locator("h1").is_visible(), path
                assert page.url == farm.url + path
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        for path in places:
            page.goto(farm.url + path)
            assert page.url.startswith(farm.url)
        assert page.locator("script:not([src])").count() == 0
        assert shown.errors == []
