"""When a browser first shows a page, with many jobs and a job of many tasks.

Run `python benchmarks/first_paint.py [JOBS] [TASKS]`.

Chromium's own times since it asked for the page, over a socket, the best of five: the answer was there, something of
its content was painted, the document was complete. Prints the table of docs/figures.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from pages import large_account

from browser.chromium import launched, window
from conductor_mock.serving.server import Server
from support.server import running

PATHS = ("/", "/?sort=cost", "/job/BIG", "/job/BIG?page=20", "/jobs/BIG/5000", "/clock", "/usage")
TRIES = 5
_TIMES = """
async () => {
  const painted = () => performance.getEntriesByName("first-contentful-paint")[0];
  while (!painted()) await new Promise(requestAnimationFrame);
  const [asked] = performance.getEntriesByType("navigation");
  return [asked.responseEnd, painted().startTime, asked.domComplete, asked.decodedBodySize];
}
"""


def main(jobs: int = 10_000, tasks: int = 10_000) -> None:
    """Submit them, let them run, and look at pages in a window of 1280 by 900."""
    with running() as fake:
        caller = large_account(fake, jobs, tasks)
        print("| page | answer ms | first paint ms | complete ms | kB |\n|---|---|---|---|---|")
        with Server(fake.app) as server, launched() as browser, window(browser, server.url) as shown:
            for path in PATHS:
                address, _, query = path.replace("BIG", str(jobs + 1)).partition("?")
                found = []
                for _ in range(TRIES):
                    page = shown.page(f"{address}?{query}&account={caller.client_id.replace(' ', '%20')}")
                    found.append(page.evaluate(_TIMES))
                    page.close()
                *best, size = map(min, zip(*found, strict=True))
                print(
                    f"| `{path}` | {' | '.join(f'{ms:.0f}' for ms in best)} | {size / 1000:.0f} |", flush=True
                )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
