"""What a fake knows, asked through its control API: over a socket, or in process while `responses` is active.

Every answer is held to `control.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from conductor_contracts.contract import load_control

PATIENCE_S = 60
"""How long an answer may take before the fake is called dead; nothing is measured with it."""


@dataclass(frozen=True)
class Control:
    """The control API of the fake at `url`, for its default account."""

    url: str

    def job(self, jid: str) -> dict[str, Any]:
        """One job: `payload` is the body of its `POST /jobs/`, and `tasks`, `upload`, `warnings` what came of it."""
        job: dict[str, Any] = self.ask("GET", f"/_mock/jobs/{jid}")
        return job

    def jobs(self) -> list[dict[str, Any]]:
        """Every job, oldest first."""
        jobs: list[dict[str, Any]] = self.ask("GET", "/_mock/jobs")["jobs"]
        return jobs

    def files(self) -> dict[str, tuple[str, int]]:
        """Base64 md5 and size of every file whose content arrived, by path."""
        files = self.ask("GET", "/_mock/files")["files"]
        return {file["path"]: (file["md5"], file["size"]) for file in files}

    def journal(self, operation: str | None = None) -> list[dict[str, Any]]:
        """The journal of all accounts, oldest first; only one operation's if it is named."""
        query = {"account": "*", **({"operation": operation} if operation else {})}
        entries: list[dict[str, Any]] = self.ask("GET", "/_mock/requests", **query)["requests"]
        return entries

    def forget_journal(self) -> None:
        """Empty the journal."""
        self.ask("DELETE", "/_mock/requests", account="*")

    def reset(self) -> None:
        """Make the account as new: no jobs, files or requests. Its tokens stay valid."""
        self.ask("POST", "/_mock/reset")

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The JSON of the answer to one call that must not be refused, None where there is none."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method,
                f"{self.url}{path}",
                json=body,
                params=query,
                headers={"Content-Type": "application/json"},
                timeout=PATIENCE_S,
            )
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:400]}"
        found = answer.json() if answer.content else None
        check_answer(method, path, answer.status_code, found)
        return found


def check_answer(method: str, path: str, status: int, body: Any) -> None:
    """Hold an answer of the control API, its body decoded, to `control.yaml`."""
    operation = load_control().find(method, path)
    assert operation is not None, f"{method} {path} is no call of the control API"
    problems = operation.check_response(status, body)
    assert not problems, f"{operation.id}: {', '.join(map(str, problems))}"
