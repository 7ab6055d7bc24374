"""What became of a test, for whoever reads its failure: the journal in words, and the account as a bundle."""

from __future__ import annotations

import hashlib
import re
import shlex
import warnings
from pathlib import Path

from conductor_contracts.problems import count
from conductor_mock.testkit.fake import Fake, ForgottenRequests
from conductor_mock.testkit.listing import folded
from conductor_mock.testkit.values import Request

TITLE = "conductor-mock"
SHOWN = 200
"""So many requests are shown, the last ones."""
TASKS = 20
"""So many tasks of a job are shown."""

JOURNAL, BUNDLE = "journal.txt", "account.bundle"
LONGEST = 120
"""Characters of a test's name that are in that of its folder."""


def journal(fake: Fake) -> str:
    """What was asked and answered, and what the jobs came to: a line for each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForgottenRequests)  # they are counted below
        requests = fake.requests()
    before = max(0, len(requests) - SHOWN) + fake.forgotten
    left_out = [f"({count(before, 'request')} before)"] if before else []
    head = [
        f"account {fake.account.client_id!r} at {fake.url}, {fake.clock.now:%Y-%m-%dT%H:%M:%SZ}",
        *left_out,
    ]
    lines = [*head, *folded(_entry(request) for request in requests[-SHOWN:])]
    strays = fake.strays
    if len(strays) > SHOWN:
        lines.append(f"({count(len(strays) - SHOWN, 'request')} of nobody's before)")
    lines += [f"of nobody's: {request}: {request.reason}" for request in strays[-SHOWN:]]
    for job in fake.jobs:
        tasks = ", ".join(f"{task.tid} {task.status}" for task in job.tasks[:TASKS])
        more = f" and {count(len(job.tasks) - TASKS, 'more task')}" if len(job.tasks) > TASKS else ""
        lines.append(f"job {job.jid} {job.status}, {job.description}: {tasks}{more}")
    lines += [str(rule) for rule in (*fake.faults.all, *fake.outcomes.all)]
    return "\n".join(lines)


def _entry(request: Request) -> str:
    reason = f": {request.reason}" if request.status >= 400 and request.reason else ""
    return "\n".join([f"{request}{reason}", *(f"    warning: {text}" for text in request.warnings)])


def save(fake: Fake, folder: Path) -> str:
    """Write the journal and a bundle into a folder; what the report of a test says of it, written or not."""
    text = journal(fake)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / JOURNAL).write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
        bundle = fake.save_bundle(folder / BUNDLE, files=False)  # of what was uploaded the hashes do
    except OSError as error:
        return f"{text}\nnothing is kept in {folder}: {error.strerror or error}"
    return (
        f"{text}\nto look at it: conductor-mock serve --ephemeral, then conductor-mock bundle replay "
        f"{shlex.quote(str(bundle))}"
    )


def folder_name(nodeid: str) -> str:
    """A name for a folder of a test, which no other test has."""
    shown = re.sub(r"[^A-Za-z0-9._-]+", "-", nodeid).strip("-.")[-LONGEST:]
    if len(nodeid) <= LONGEST and re.fullmatch(r"[A-Za-z0-9._/:]+", nodeid):
        return shown
    # What was left out may be all that tells it from another one.
    return f"{shown}-{hashlib.sha256(nodeid.encode(errors='backslashreplace')).hexdigest()[:8]}"
