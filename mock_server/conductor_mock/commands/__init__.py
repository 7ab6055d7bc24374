"""The commands of `conductor-mock` that ask a running server, through its control API.

They load nothing that serves: no web framework, no database, none of what decides in a server.
"""

from collections.abc import Mapping

from conductor_contracts.listed import Listed

COMMANDS: Mapping[str, Listed] = {
    "bundle": Listed(
        f"{__name__}.bundle:bundle",
        "Save what decided an account's runs to one file, or replay such a file into an empty account.",
    ),
    "catalog": Listed(f"{__name__}.catalog:catalog", "Show or replace an account's catalogue."),
    "clock": Listed(f"{__name__}.clock:clock", "Show or move an account's simulated time."),
    "faults": Listed(f"{__name__}.faults:faults", "List, add or clear the faults of an account."),
    "files": Listed(
        f"{__name__}.files:files",
        "List the paths that were declared for upload and whose content is held (--account '*': of all).",
    ),
    "jobs": Listed(f"{__name__}.jobs:jobs", "List the jobs of an account, or show the tasks of the job JID."),
    "mails": Listed(
        f"{__name__}.mails:mails",
        "List the mails of ended jobs, oldest first, and what became of each (--account '*': of all).",
    ),
    "options": Listed(f"{__name__}.options:options", "Show or change what decides an account's runs."),
    "outcomes": Listed(f"{__name__}.outcomes:outcomes", "List, add or clear the rules for how tasks go."),
    "requests": Listed(
        f"{__name__}.requests:requests",
        "List the requests of an account, oldest first (--account '*': of all).",
    ),
    "reset": Listed(
        f"{__name__}.reset:reset",
        "Make an account as new: no jobs, files, requests or faults (--account '*': every account).",
    ),
}
"""Each is loaded when it is called."""

__all__ = ["COMMANDS"]
