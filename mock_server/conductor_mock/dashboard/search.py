"""One search over everything that an account has: jobs, files, requests, packages."""

from __future__ import annotations

from flask import request

from conductor_mock.context import service
from conductor_mock.control.selection import account_meant, existing_accounts, state_to_show
from conductor_mock.dashboard import jobs
from conductor_mock.dashboard.packages import named
from conductor_mock.dashboard.shown import offered, show

MOST = 20
"""Shown of each kind."""
LOOKED_AT = 1000
"""Requests that are looked at, the newest ones."""


def search() -> str:
    """What has the text of `q`, some of each kind."""
    sought = request.args.get("q", "").strip()
    text = sought.casefold()
    with state_to_show() as state:
        account = state.client_id
        found = jobs.fitting(state, {"text": sought}) if text else []
        rows = [jobs.row(state, job) for job in found[:MOST]]
    paths = (
        [file.path for one in existing_accounts() for file in service().contents.files(one)] if text else []
    )
    asked = service().journal.find(account=account_meant(), limit=LOOKED_AT) if text else []
    packages = offered().packages if text else ()
    files = [path for path in paths if text in path.casefold()]
    requests = [
        entry
        for entry in reversed(asked)
        if text in f"{entry['method']} {entry['path']} {entry['operation']}".casefold()
    ]
    fitting = [
        {"id": record["package_id"], "name": named(record)}
        for record in packages
        if text in named(record).casefold() or text == record["package_id"]
    ]
    sizes = {"job": len(found), "file": len(files), "request": len(requests), "package": len(fitting)}
    return show(
        "search.html",
        account=account,
        area="/search",
        sought=sought,
        jobs=rows,
        files=files[:MOST],
        requests=requests[:MOST],
        packages=fitting[:MOST],
        more={kind: max(0, size - MOST) for kind, size in sizes.items()},
        looked_at=LOOKED_AT if len(asked) == LOOKED_AT else None,
    )
