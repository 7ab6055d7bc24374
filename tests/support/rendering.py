"""Jobs whose tasks have succeeded, so that there is something to download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.disk import md5_of
from support.farm import Farm, job


def advance(farm: Farm, seconds: float) -> None:
    """Move the farm's time on."""
    farm.control.ask("POST", "/_mock/clock", {"advance": seconds})


def render(farm: Farm, folder: Path | str, tasks: int = 3, **more: Any) -> str:
    """Submit a job whose outputs belong into the folder, and end its tasks with success. Returns its id."""
    response, _ = farm.submit(
        job(
            job_title="shot",
            tasks_data=[{"command": f"render -f {number}", "frames": str(number)} for number in range(tasks)],
            output_path=str(folder),
            **more,
        )
    )
    jid = str(response["jobid"])
    advance(farm, 3600)
    for task in farm.control.job(jid)["tasks"]:
        if task["status"] != "success":
            farm.control.ask("POST", f"/_mock/jobs/{jid}/tasks/{task['tid']}", {"status": "success"})
    return jid


def outputs(farm: Farm, jid: str = "00001") -> dict[str, str]:
    """Base64 md5 of every output of a job that was listed, by its relative path."""
    return {
        output["path"]: output["md5"]
        for task in farm.control.job(jid)["tasks"]
        for output in task["outputs"] or ()
    }


def md5s(folder: Path) -> dict[str, str]:
    """Base64 md5 of every file below a folder, hidden ones too, by its path there."""
    return {
        path.relative_to(folder).as_posix(): md5_of(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def statuses(farm: Farm, jid: str = "00001") -> list[str]:
    """The status of every task of a job."""
    return [task["status"] for task in farm.control.job(jid)["tasks"]]
