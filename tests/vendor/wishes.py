"""What users submit, by default: three tasks, nothing to upload."""

from __future__ import annotations

from typing import Any

from vendor.workstation import Workstation


def render_job(desk: Workstation, **arguments: Any) -> dict[str, Any]:
    """Arguments of the client's `Submit`."""
    return {
        "job_title": "a render",
        "project": "default",
        "instance_type": "n1-standard-2",
        "output_path": str(desk.project / "renders"),
        "tasks_data": [{"command": f"render --frame {n}", "frames": str(n)} for n in range(1, 4)],
        **arguments,
    }
