"""Every page and its address; the views are in the modules of their areas.

`/jobs/JID` and `/job/JID` (wire reference 2.8) are where clients' links lead; at `/jobs/JID/TID/log` (wire reference
12.15) the service's own dashboard has the log of a task.
"""

from __future__ import annotations

from pathlib import Path

from flask import Response

from conductor_mock.dashboard import (
    acting,
    clock,
    connect,
    faults,
    fidelity,
    files,
    job,
    jobs,
    live,
    machines,
    mails,
    packages,
    player,
    requests,
    search,
    task,
    thumbnails,
    usage,
)
from conductor_mock.dashboard.blueprint import pages

__all__ = ["pages"]

_ASSETS = Path(__file__).parent / "assets"


@pages.get("/assets/style.css")
def style() -> Response:
    """The look of all pages."""
    return Response((_ASSETS / "style.css").read_bytes(), mimetype="text/css")


@pages.get("/assets/live.js")
def script() -> Response:
    """What keeps a page up to date that is looked at."""
    return Response((_ASSETS / "live.js").read_bytes(), mimetype="text/javascript")


pages.before_request(live.take_marks)
pages.get("/events")(live.events)
pages.get("/")(jobs.index)
pages.get("/jobs/<jid>")(job.job)
pages.get("/job/<jid>")(job.job)
pages.post("/job/<jid>/act")(acting.act_on_job)
pages.post("/job/<jid>/change")(acting.change_job)
pages.post("/job/<jid>/<number:tid>/act")(acting.act_on_task)
pages.post("/job/<jid>/<number:tid>/force")(acting.force_task)
pages.get("/job/<jid>/player")(player.player)
pages.get("/jobs/<jid>/<number:tid>")(task.task)
pages.get("/jobs/<jid>/<number:tid>/log")(task.log)
pages.get("/jobs/<jid>/<number:tid>/thumbnail/<number:number>")(thumbnails.thumbnail)
pages.get("/clock")(clock.clock)
pages.post("/clock/move")(clock.move)
pages.get("/faults")(faults.faults)
pages.post("/faults/add")(faults.add_fault)
pages.post("/faults/clear")(faults.clear_faults)
pages.post("/outcomes/add")(faults.add_outcome)
pages.post("/outcomes/clear")(faults.clear_outcomes)
pages.get("/fidelity")(fidelity.fidelity)
pages.get("/requests")(requests.requests)
pages.get("/requests/<number:number>")(requests.exchange)
pages.get("/packages")(packages.packages)
pages.get("/packages/<package_id>")(packages.package)
pages.get("/machines")(machines.machines)
pages.get("/files")(files.files)
pages.get("/usage")(usage.usage)
pages.get("/mails")(mails.mails)
pages.get("/connect")(connect.connect)
pages.get("/search")(search.search)
