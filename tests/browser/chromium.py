"""Chromium, driven by Playwright, and pages that note what goes wrong in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDE, PHONE = (1280, 900), (390, 844)

_NOTE_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error("policy: " + event.violatedDirective + " " + event.blockedURI));
"""


class NoBrowserError(Exception):
    """There is no Chromium, or no Playwright; the text says which."""


@dataclass
class Window:
    """A browser window on one server: its pages note errors of the console and breaches of the policy."""

    url: str
    context: Any
    errors: list[str] = field(default_factory=list)

    def page(self, path: str = "/") -> Page:
        """A new page that shows a path of the server."""
        page: Page = self.context.new_page()
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(self.url + path)
        return page


def program() -> str:
    """Where Chromium is. Raises NoBrowserError."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise NoBrowserError("there is no chromium on the PATH (apt-get install chromium)")
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """Chromium. Raises NoBrowserError."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoBrowserError("playwright is not installed (it is in the dev extra)") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(
    browser: Browser, url: str, size: tuple[int, int] = WIDE, *, dark: bool = False, script: bool = True
) -> Iterator[Window]:
    """A window of a size, light or dark, with or without JavaScript."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    context.set_default_timeout(60_000)
    if script:
        context.add_init_script(_NOTE_VIOLATIONS)
    try:
        yield Window(url, context)
    finally:
        context.close()
