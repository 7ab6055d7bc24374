"""The floor of `compare.py`: a submission by http.client alone, as a program of its own.

    python benchmarks/bare_loop.py FOLDER

Takes the address and the key from the environment, as a client does; files small enough to go up in one piece.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import sys
from pathlib import Path
from urllib.parse import urlencode, urlsplit

BATCH = 20


def main() -> None:
    service = urlsplit(os.environ["CONDUCTOR_URL"])
    key = json.loads(os.environ["CONDUCTOR_API_KEY"])
    connection = http.client.HTTPConnection(service.netloc)

    def exchange(method: str, target: str, body: bytes | None = None, **headers: str) -> bytes:
        connection.request(
            method, target, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        response = connection.getresponse()
        content = response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {target}: {response.status} {content!r}")
        return content

    query = urlencode(
        {
            "grant_type": "client_credentials", "scope": "owner admin user",
            "client_id": key["client_id"], "client_secret": key["private_key"],
        }
    )  # fmt: skip
    token = json.loads(exchange("GET", f"/api/oauth_jwt?{query}"))["access_token"]
    known = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    entries, paths = [], sorted(str(path) for path in Path(sys.argv[1]).iterdir())
    for begin in range(0, len(paths), BATCH):
        asked = {}
        for path in paths[begin : begin + BATCH]:
            content = Path(path).read_bytes()
            md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
            asked[path] = (md5, len(content))
        files = [{"path": path, "hash": md5, "size": size} for path, (md5, size) in asked.items()]
        body = json.dumps({"upload_files": files, "project": "default"}).encode()
        answer = exchange("POST", "/api/v2/files/get_upload_urls", body, **known)
        for record in (json.loads(answer) if answer else {}).get("singlePartURLs") or []:
            path, url = record["filePath"], urlsplit(record["preSignedURL"])
            headers = {"Content-MD5": asked[path][0], "Content-Type": "application/octet-stream"}
            exchange("PUT", f"{url.path}?{url.query}", Path(path).read_bytes(), **headers)
        entries += [{"md5": md5, "destination": path, "st_size": size} for path, (md5, size) in asked.items()]
    job = {
        "job_title": "benchmark", "project": "default", "instance_type": "n1-standard-4", "local_upload": True,
        "tasks_data": [{"command": "true", "frames": "1"}], "output_path": "/tmp/output", "upload_files": entries,
    }  # fmt: skip
    exchange("POST", "/jobs/", json.dumps(job).encode(), **known)


if __name__ == "__main__":
    main()
