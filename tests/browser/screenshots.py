"""Pictures of every page, light, dark and as on a phone: `make screenshots` writes them into `build/screenshots`."""

from __future__ import annotations

import sys
from pathlib import Path

from browser.chromium import PHONE, WIDE, NoBrowserError, launched, window
from browser.farms import filled, serving

FOLDER = Path("build/screenshots")
KINDS = (("light", WIDE, False), ("dark", WIDE, True), ("phone", PHONE, False))
FAILED_FRAME = "006"
ALL_PICTURES = """
() => Promise.all([...document.images].map((one) => { one.loading = "eager"; return one.decode().catch(() => {}); }))
"""


def main() -> int:
    """Write them; the number of the problem that keeps from it, 0 for none."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with launched() as browser, serving() as farm:
            filled(farm)
            for kind, size, dark in KINDS:
                with window(browser, farm.url, size, dark=dark) as shown:
                    for path in [*farm.paths(FAILED_FRAME), "/job/9", "/job/7", "/clock?at=250000"]:
                        page = shown.page(path)
                        page.evaluate(ALL_PICTURES)
                        name = path.partition("?")[0].strip("/").replace("/", "-") or "jobs"
                        name += "-then" if "at=" in path else ""
                        page.screenshot(path=FOLDER / f"{name}-{kind}.png", full_page=True)
                        page.close()
    except NoBrowserError as error:
        print(f"no pictures: {error}", file=sys.stderr)
        return 1
    print(f"wrote {len(list(FOLDER.glob('*.png')))} pictures into {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
