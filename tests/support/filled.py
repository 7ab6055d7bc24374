"""A farm worth looking at: jobs in all states, a week of usage, mails, faults, outcomes, files, odd requests."""

from __future__ import annotations

from typing import Any

import requests

Json = dict[str, Any]


class Filler:
    """Fills the own account of a server over HTTP, as clients do."""

    def __init__(self, url: str, client_id: str, private_key: str) -> None:
        self._url = url
        key = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": private_key}
        answer = requests.get(f"{url}/api/oauth_jwt", params={**key, "scope": "user"}, timeout=60)
        self.token = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def post(self, path: str, body: Any) -> Any:
        """POST to the service, or to the control API."""
        answer = requests.post(f"{self._url}{path}", json=body, headers=self.token, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def submit(self, title: str, count: int = 8, **fields: Any) -> Any:
        """Submit a job of so many frames."""
        payload: Json = {
            "job_title": title,
            "project": "default",
            "instance_type": "n1-standard-8",
            "tasks_data": frames(count),
            "output_path": "/renders/lamp",
            "owner": "kim",
            **fields,
        }
        return self.post("/jobs/", payload)

    def pass_time(self, **move: Any) -> None:
        """Move the clock."""
        self.post("/_mock/clock", move)

    def fill(self) -> None:
        """Everything; at the end a job renders, and time stands still."""
        for day in range(4):
            self.submit(
                f"Dailies {day + 1}",
                12 + 9 * day,
                owner=("ada", "ben", "kim")[day % 3],
                metadata={"shot": f"lamp_{day}0"},
            )
            self.pass_time(until="idle")
            self.pass_time(advance=80_000)
        self.submit("Lamp turntable", 24, notify={"emails": ["td@example.com"]})
        self.submit(
            "Street wide",
            20,
            owner="ada",
            project="street",
            preemptible=True,
            environment={"OCIO": "/opt/ocio/aces_1.3/config.ocio", "VRAY_TOKEN": "only-here", "SHOW": "lamp"},
            metadata={"mock_outcome": "failed", "mock_frames": "7,12", "shot": "street_010"},
            autoretry_policy={"preempted": {"max_retries": 2}},
            notify={"emails": ["ada@example.com"]},
            unheard_of="x",
        )
        self.pass_time(until="idle")
        self.submit("Hero close-up", 30, scout_frames="1,15", owner="ben")
        self.pass_time(until="idle")
        self.submit(
            "Waits for its files",
            local_upload=False,
            location="Berlin",
            upload_files=[{"destination": "/proj/tex.exr", "md5": "1B2M2Y8AsgTpgAmY7PhCfg==", "st_size": 10}],
        )
        self.submit(
            "River flythrough",
            120,
            preemptible=True,
            max_instances=40,
            autoretry_policy={"preempted": {"max_retries": 3}},
        )
        self.pass_time(advance=300)
        self.post(
            "/_mock/faults",
            {
                "match": {"operation": "jobs.create"},
                "fault": {"kind": "status", "status": 503},
                "times": 1,
                "skip": 50,
            },
        )
        self.post("/_mock/outcomes", {"match": {"frames": "57"}, "outcome": ["preempted", "success"]})
        requests.get(f"{self._url}/api/v1/project", headers=self.token, timeout=60)


def frames(count: int) -> list[Json]:
    """Tasks of a frame each."""
    command = "render -f {} -o /renders/lamp/beauty.####.exr /proj/lamp.ma"
    return [{"command": command.format(frame), "frames": str(frame)} for frame in range(1, count + 1)]
