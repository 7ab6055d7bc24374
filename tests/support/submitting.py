"""A program that submits one job with one file, for the Pythons and environments that it is tried in."""

from __future__ import annotations

SUBMISSION = """
import conductor, json, sys
path = sys.argv[1]
response, code = conductor.Submit({
    "job_title": "light", "project": "default", "instance_type": "n1-standard-2", "output_path": "/out",
    "upload_paths": [path], "local_upload": True, "tasks_data": [{"command": f"render {path}", "frames": "1"}],
}).main()
print(json.dumps([code, response["jobid"], sorted(name for name in sys.modules if "." not in name)]))
"""
"""Takes the file's path; prints the status, the job's id and the top-level modules that it has loaded, as JSON."""
