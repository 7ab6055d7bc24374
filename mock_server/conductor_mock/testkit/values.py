"""What the kit answers with: values as they were when they were asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

INVALID = (400, 405, 415)
"""Statuses of requests that no state would allow."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account by its API key."""

    client_id: str
    private_key: str = field(repr=False)

    def api_key(self) -> str:
        """What CONDUCTOR_API_KEY holds."""
        return json.dumps({"client_id": self.client_id, "private_key": self.private_key})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a task. Times are ISO 8601 of the simulated clock; until it has ended `outcome` is "running"."""

    started: str
    ended: str | None
    outcome: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a job: `tid` such as "000", and the paths of its outputs."""

    tid: str
    status: str
    command: str
    frames: str
    attempts: tuple[Attempt, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """A job: `jid` such as "00001", the payload as it was received, what the service finds odd about it."""

    jid: str
    status: str
    description: str
    payload: Mapping[str, Any]
    tasks: tuple[Task, ...]
    upload: Mapping[str, Any]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Job:
        """A job of the control API."""
        return cls(
            jid=record["jid"],
            status=record["status"],
            description=record["status_description"],
            payload=record["payload"],
            tasks=tuple(_task(task) for task in record["tasks"]),
            upload=record["upload"],
            warnings=tuple(record["warnings"]),
        )


@dataclass(frozen=True, slots=True)
class File:
    """A path that was declared and whose content is held: md5 in base64, size in bytes."""

    path: str
    md5: str
    size: int


@dataclass(frozen=True, slots=True)
class Content:
    """What is held for a path: its bytes, their md5 in base64, how many they are."""

    path: str
    md5: str
    size: int
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that a job caused when it ended with `status`. `time` is ISO 8601 of the simulated clock."""

    time: str
    jid: str
    status: str
    to: tuple[str, ...]
    subject: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Mail:
        """A mail of the control API."""
        return cls(record["time"], record["jid"], record["status"], tuple(record["to"]), record["subject"])


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """What decides an account's runs besides its requests.

    `fleet` is the most instances at once (0: no limit), `provider` the style of upload URLs (gcs, s3), `part_size` the
    bytes beyond which a file is uploaded in parts.
    """

    seed: int
    fleet: int
    provider: str
    part_size: int
    release_scouts: bool

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> AccountOptions:
        """The options of the control API."""
        return cls(**{name: record[name] for name in NAMES_OF_OPTIONS})


@dataclass(frozen=True, slots=True)
class NearMiss:
    """The operation that an invalid request was probably meant for, and what differs: `(place, what)` each."""

    operation: str
    differences: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> NearMiss | None:
        """That of an entry of the journal, None where it has none."""
        if record is None:
            return None
        return cls(record["operation"], tuple((one["path"], one["message"]) for one in record["differences"]))


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, and how it was answered: `operation` is None where no route fitted.

    `body` is the JSON that was sent, or its text; None for none, and for a file. `sha256` is that of the body's bytes.
    `fault` is the kind that the request got. Secrets are masked.
    """

    operation: str | None
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any
    sha256: str | None
    status: int
    answer: Any
    fault: str | None
    warnings: tuple[str, ...]
    near_miss: NearMiss | None = None

    @property
    def is_invalid(self) -> bool:
        """Whether it matched no operation, or was refused since the contract does not have it so."""
        return self.fault is None and (self.operation is None or self.status in INVALID)

    @property
    def reason(self) -> str:
        """What a refusal says; empty where it says nothing."""
        return str(self.answer.get("message", "")) if isinstance(self.answer, dict) else ""

    @property
    def key(self) -> str | None:
        """The `Idempotency-Key` that it carried."""
        return next((text for name, text in self.headers.items() if name.lower() == "idempotency-key"), None)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Request:
        """An entry of the journal."""
        return cls(
            operation=entry["operation"],
            method=entry["method"],
            path=entry["path"],
            query=entry["query"],
            headers=entry["headers"],
            body=_content(entry["body"]),
            sha256=(entry["body"] or {}).get("sha256"),
            status=entry["status"],
            answer=_content(entry["response"]),
            fault=entry.get("fault", {}).get("kind"),
            warnings=tuple(entry["warnings"]),
            near_miss=NearMiss.of(entry.get("near_miss")),
        )

    def __str__(self) -> str:
        fault = f", with the fault {self.fault}" if self.fault else ""
        return f"{self.operation or 'no operation'} ({self.method} {self.path}): {self.status}{fault}"


@dataclass(frozen=True, slots=True)
class FaultRule:
    """A fault that was asked for: how many requests fitted, and how many of them got it, when this was asked for."""

    id: int
    operation: str | None
    kind: str
    seen: int
    consumed: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> FaultRule:
        """A rule of the control API."""
        return cls(
            record["id"],
            record["match"].get("operation"),
            record["fault"]["kind"],
            record["seen"],
            record["consumed"],
        )

    def __str__(self) -> str:
        what = f"fault {self.id} ({self.kind} for {self.operation or 'any operation'})"
        return f"{what}: {self.seen} seen, {self.consumed} consumed"


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """How tasks go that fit: how many do, and how many attempts went by it, when this was asked for."""

    match: Mapping[str, Any]
    outcome: str | tuple[str, ...] | None
    seen: int
    consumed: int

    def __str__(self) -> str:
        fitting = ", ".join(f"{name} {value!r}" for name, value in self.match.items()) or "any task"
        what = "a duration" if self.outcome is None else f"outcome {_outcomes(self.outcome)}"
        return f"{what} for {fitting}: {self.seen} seen, {self.consumed} consumed"


def _outcomes(outcome: str | tuple[str, ...]) -> str:
    return outcome if isinstance(outcome, str) else ", ".join(outcome)


def _task(record: Mapping[str, Any]) -> Task:
    attempts = tuple(
        Attempt(each["started"], each["ended"], each["outcome"], each["exit_code"])
        for each in record["attempts"]
    )
    outputs = tuple(file["path"] for file in record["outputs"])
    return Task(record["tid"], record["status"], record["command"], record["frames"], attempts, outputs)


def _content(body: Mapping[str, Any] | None) -> Any:
    """JSON, or text; None for none and for what the journal did not keep."""
    text = (body or {}).get("text")
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


NAMES_OF_OPTIONS = tuple(one.name for one in fields(AccountOptions))
"""The options that an account has of its own."""
