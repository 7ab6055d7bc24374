"""What the list of a job's tasks costs: `python benchmarks/task_list.py [TASKS]`; prints Markdown for docs/figures.md.

In process, so that nothing but the app is measured.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import requests

from conductor_mock.inprocess import in_process

ROUNDS = 5
VARIABLES = (0, 10, 40)
VALUE = "/opt/studio/tools/1.2.3/bin"


def main() -> None:
    """For some sizes of the job's environment: submit a job, list its tasks some times."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"| variables of the job | MiB for {count} tasks | bytes a task | CPU s |\n|---|---|---|---|")
    with in_process() as fake:
        key = json.loads(fake.environment()["CONDUCTOR_API_KEY"])
        query = {
            "grant_type": "client_credentials",
            "client_id": key["client_id"],
            "client_secret": key["private_key"],
        }
        token = requests.get(f"{fake.url}/api/oauth_jwt", params=query, timeout=60).json()["access_token"]
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {token}"
        for variables in VARIABLES:
            job = {
                "instance_type": "n1-standard-2",
                "output_path": "/out",
                "environment": {f"STUDIO_VARIABLE_{number}": VALUE for number in range(variables)},
                "tasks_data": [
                    {"command": f"render -f {number}", "frames": str(number)} for number in range(count)
                ],
            }
            jid = session.post(f"{fake.url}/jobs/", json=job, timeout=60).json()["jobid"]
            seconds = []
            for _ in range(ROUNDS):
                began = time.process_time()
                answer = session.get(
                    f"{fake.url}/api/v1/tasks", params={"filter": f"jobLabel_eq_{jid}"}, timeout=60
                )
                seconds.append(time.process_time() - began)
            size = len(answer.content)
            print(
                f"| {variables} | {size / 2**20:.1f} | {size / count:.0f} | {statistics.median(seconds):.2f} |"
            )


if __name__ == "__main__":
    main()
