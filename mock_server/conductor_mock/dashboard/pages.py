"""Every page and its address; the views are in the modules of their areas, which are loaded when somebody looks at one.

`/jobs/JID` and `/job/JID` (wire reference 2.8) are where clients' links lead; at `/jobs/JID/TID/log` (wire reference
12.15) the service's own dashboard has the log of a task.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from flask import Response

from conductor_mock.dashboard.blueprint import pages

__all__ = ["pages"]

_ASSETS = Path(__file__).parent / "assets"

_HERE = __name__.rpartition(".")[0]


def _later(module: str, name: str) -> Callable[..., Any]:
    """A view of a module beside this one, which is imported when it is called: few servers are looked at."""

    def view(**arguments: Any) -> Any:
        return getattr(import_module(f"{_HERE}.{module}"), name)(**arguments)

    view.__name__ = name
    return view


_job = _later("job", "job")


@pages.get("/assets/style.css")
def style() -> Response:
    """The look of all pages."""
    return Response((_ASSETS / "style.css").read_bytes(), mimetype="text/css")


@pages.get("/assets/live.js")
def script() -> Response:
    """What keeps a page up to date that is looked at."""
    return Response((_ASSETS / "live.js").read_bytes(), mimetype="text/javascript")


pages.before_request(_later("live", "take_marks"))
pages.get("/events")(_later("live", "events"))
pages.get("/")(_later("jobs", "index"))
pages.get("/jobs/<jid>")(_job)
pages.get("/job/<jid>")(_job)
pages.post("/job/<jid>/act")(_later("acting", "act_on_job"))
pages.post("/job/<jid>/change")(_later("acting", "change_job"))
pages.post("/job/<jid>/<number:tid>/act")(_later("acting", "act_on_task"))
pages.post("/job/<jid>/<number:tid>/force")(_later("acting", "force_task"))
pages.get("/job/<jid>/player")(_later("player", "player"))
pages.get("/jobs/<jid>/<number:tid>")(_later("task", "task"))
pages.get("/jobs/<jid>/<number:tid>/log")(_later("task", "log"))
pages.get("/jobs/<jid>/<number:tid>/thumbnail/<number:number>")(_later("thumbnails", "thumbnail"))
pages.get("/clock")(_later("clock", "clock"))
pages.post("/clock/move")(_later("clock", "move"))
pages.get("/faults")(_later("faults", "faults"))
pages.post("/faults/add")(_later("faults", "add_fault"))
pages.post("/faults/clear")(_later("faults", "clear_faults"))
pages.post("/outcomes/add")(_later("faults", "add_outcome"))
pages.post("/outcomes/clear")(_later("faults", "clear_outcomes"))
pages.get("/fidelity")(_later("fidelity", "fidelity"))
pages.get("/requests")(_later("requests", "requests"))
pages.get("/requests/<number:number>")(_later("requests", "exchange"))
pages.get("/packages")(_later("packages", "packages"))
pages.get("/packages/<package_id>")(_later("packages", "package"))
pages.get("/machines")(_later("machines", "machines"))
pages.get("/files")(_later("files", "files"))
pages.get("/usage")(_later("usage", "usage"))
pages.get("/mails")(_later("mails", "mails"))
pages.get("/connect")(_later("connect", "connect"))
pages.get("/search")(_later("search", "search"))
