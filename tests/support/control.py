"""What a fake knows, asked through its control API: over a socket, or in process while `responses` is active."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

PATIENCE_S = 60
"""How long an answer may take before the fake is called dead; nothing is measured with it."""


@dataclass(frozen=True)
class Control:
    """The control API of the fake at `url`, for its default account."""

    url: str

    def job(self, jid: str) -> dict[str, Any]:
        """One job: `payload` is the body of its `POST /jobs/`, and `tasks`, `upload`, `warnings` what came of it."""
        job: dict[str, Any] = self._get(f"/_mock/jobs/{jid}")
        return job

    def jobs(self) -> list[dict[str, Any]]:
        """Every job, oldest first."""
        jobs: list[dict[str, Any]] = self._get("/_mock/jobs")["jobs"]
        return jobs

    def files(self) -> dict[str, tuple[str, int]]:
        """Base64 md5 and size of every file whose content arrived, by path."""
        return {file["path"]: (file["md5"], file["size"]) for file in self._get("/_mock/files")["files"]}

    def journal(self, operation: str | None = None) -> list[dict[str, Any]]:
        """The journal of all accounts, oldest first; only one operation's if it is named."""
        query = {"account": "*", **({"operation": operation} if operation else {})}
        entries: list[dict[str, Any]] = self._get("/_mock/requests", **query)["requests"]
        return entries

    def forget_journal(self) -> None:
        """Empty the journal."""
        self._send("DELETE", "/_mock/requests", account="*")

    def reset(self) -> None:
        """Make the account as new: no jobs, files or requests. Its tokens stay valid."""
        self._send("POST", "/_mock/reset")

    def _get(self, path: str, **query: str) -> Any:
        return self._send("GET", path, **query).json()

    def _send(self, method: str, path: str, **query: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method,
                f"{self.url}{path}",
                params=query,
                headers={"Content-Type": "application/json"},
                timeout=PATIENCE_S,
            )
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:400]}"
        return answer
