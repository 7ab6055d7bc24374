"""The files that an account uploaded and holds."""

from __future__ import annotations

from conductor_mock.context import service
from conductor_mock.control.selection import existing_accounts
from conductor_mock.dashboard.shown import account_name, chosen_values, show, size_text, slice_of


def files() -> str:
    """Every path that was declared and whose content is held, by path; with `text` those that have it."""
    query = chosen_values("text")
    text = query.get("text", "").casefold()
    stored = [file for one in existing_accounts() for file in service().contents.files(one)]
    found = slice_of([file for file in stored if text in file.path.casefold()])
    return show(
        "files.html",
        account=account_name(),
        area="/files",
        files=[{"path": file.path, "md5": file.md5, "size": size_text(file.size)} for file in found.items],
        slice=found,
        total=len(stored),
        size=size_text(sum({file.md5: file.size for file in stored}.values())),
        query=query,
    )
