"""Services that answer in this process: the fake itself, the fake with a lie, and a recording of what it answered.

`Service` hands each request of the requests library to a function. Nothing is served over a socket.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from conductor_contracts.interactions import CONTROL, Interaction, Step
from conductor_contracts.verify import Report, verify
from conductor_mock.app import close_app, create_app
from conductor_mock.catalog import default
from conductor_mock.inprocess import HOST, URL, InProcess
from conductor_mock.settings import Settings

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """What came back, or is to come back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    @cached_property
    def is_json(self) -> bool:
        """Whether there is a body that says that it is JSON."""
        return bool(self.content) and self.header("Content-Type").partition(";")[0] == JSON

    @cached_property
    def body(self) -> Any:
        """The decoded body, not to be changed in place; None where there is no JSON."""
        return json.loads(self.content) if self.is_json else None

    def json(self) -> Any:
        """The body decoded whatever it says that it is; None for none, the text where it is no JSON."""
        try:
            return json.loads(self.content) if self.content else None
        except ValueError:
            return self.content.decode("utf-8", "replace")

    def header(self, name: str) -> str:
        """A header by its name in any case; empty for none."""
        return str(CaseInsensitiveDict(self.headers).get(name, ""))

    def with_status(self, status: int) -> Answer:
        return replace(self, status=status)

    def with_body(self, body: Any) -> Answer:
        """The same answer with another JSON body."""
        content = json.dumps(body).encode()
        headers = CaseInsensitiveDict(self.headers)
        if "Content-Length" in headers:
            headers["Content-Length"] = str(len(content))
        headers["Content-Type"] = JSON
        return replace(self, headers=dict(headers), content=content)

    def with_header(self, name: str, value: str | None) -> Answer:
        """The same answer with another header, or without it for None."""
        headers = {known: text for known, text in self.headers.items() if known.lower() != name.lower()}
        return replace(self, headers=headers if value is None else {**headers, name: value})


def refusal(status: int, message: str, *places: str) -> Answer:
    """A refusal in the one error shape."""
    errors = [{"path": place, "message": message} for place in places]
    body = {"status": "error", "message": message, "errors": errors}
    return Answer(status, {"Content-Type": JSON}, json.dumps(body).encode())


Answering = Callable[[requests.PreparedRequest], Answer]
"""How a service answers."""
Lie = Callable[[requests.PreparedRequest, Answering], Answer]
"""How a service answers that may ask a right one first."""


class Service(BaseAdapter):
    """What answers every request to `URL` by a function; `seen` are the requests that came."""

    def __init__(self, answering: Answering) -> None:
        super().__init__()
        self.answering = answering
        self.seen: list[requests.PreparedRequest] = []

    def session(self) -> requests.Session:
        """A session that talks to this service alone."""
        session = requests.Session()
        session.trust_env = False
        session.mount(URL, self)
        return session

    def send(self, request: requests.PreparedRequest, *_args: Any, **_options: Any) -> requests.Response:
        """Answer a request as if it had gone over a wire."""
        self.seen.append(request)
        answer = self.answering(request)
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response.raw = io.BytesIO(answer.content)
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is open."""


class Fake:
    """The fake without a socket."""

    def __init__(self, in_process: InProcess) -> None:
        self._adapter = in_process.adapter()
        self.key: dict[str, str] = json.loads(in_process.environment()["CONDUCTOR_API_KEY"])

    def answer(self, request: requests.PreparedRequest) -> Answer:
        """What the fake answers."""
        answer = self._adapter.send(request)
        return Answer(answer.status_code, answer.headers, answer.content)

    def service(self, lie: Lie | None = None) -> Service:
        """The fake, or the fake with a lie."""
        return Service(self.answer if lie is None else lambda request: lie(request, self.answer))

    def verify(self, lie: Lie | None = None, **options: Any) -> Report:
        """How the verifier judges it."""
        options.setdefault("own_account", False)
        return verify(URL, self.key, session=self.service(lie).session(), **options)


@contextmanager
def fake_in_process(folder: Path) -> Iterator[Fake]:
    """A frozen, throw-away fake for the length of the block."""
    settings = Settings(ephemeral=True, speed=0, allow_hosts=(HOST,), catalog=small_catalog(folder))
    app = create_app(settings)
    try:
        yield Fake(InProcess(app))
    finally:
        close_app(app)


SMALL = 3
"""How many hosts a small catalogue has, and how many plugins: those that most of these hosts have."""


def small_catalog(folder: Path) -> Path:
    """A catalogue with few packages, in a folder: what is long is read often here."""
    catalog = folder / "catalog.json"
    document = default().to_document()
    hosts = [one for one in document["packages"] if "maya" in one["product"] and one["plugins"]][
        2 : 2 + SMALL
    ]
    plugins = Counter(plugin for host in hosts for plugin in host["plugins"]).most_common(SMALL)
    kept = {host["package_id"] for host in hosts} | {plugin for plugin, _ in plugins}
    packages = [
        {
            **one,
            **{name: [other for other in one[name] if other in kept] for name in ("plugins", "plugin_hosts")},
        }
        for one in document["packages"]
        if one["package_id"] in kept
    ]
    catalog.write_text(json.dumps({**document, "packages": packages}), encoding="utf-8")
    return catalog


class Question(NamedTuple):
    """All that a request says."""

    method: str
    url: str
    headers: frozenset[tuple[str, str]]
    content: bytes


@dataclass(frozen=True)
class Exchange:
    """One request of an interaction and its right answer; `step` None for what is asked before the first."""

    step: Step | None
    asked: Question
    answer: Answer

    @property
    def operation(self) -> str | None:
        """The operation that was asked for."""
        return self.step.operation if self.step else None


@dataclass(frozen=True)
class Recording:
    """An interaction with every right answer."""

    interaction: Interaction
    key: Mapping[str, str]
    unique: str
    exchanges: tuple[Exchange, ...]

    def faults(self, change: Callable[[Exchange], Answer]) -> tuple[str, ...]:
        """What the verifier finds where `change` says how each request is answered.

        A request that was not recorded, because it follows from a changed answer, is refused as unknown.
        """
        left = iter(self.exchanges)

        def answering(request: requests.PreparedRequest) -> Answer:
            exchange = next(left, None)
            if exchange is None or asked(request)[0] != exchange.asked:
                return refusal(404, "there is no such thing")
            return change(exchange)

        (outcome,) = verify(
            URL,
            self.key,
            session=Service(answering).session(),
            interactions=[self.interaction],
            unique=lambda: self.unique,
            own_account=False,
        ).outcomes
        assert not outcome.skipped
        return outcome.faults


class Recordings:
    """Every interaction as the fake answers it in an account of its own, recorded when it is first asked for."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake
        self._known: dict[str, Recording] = {}

    def of(self, interaction: Interaction) -> Recording:
        """The recording of one interaction."""
        if interaction.id not in self._known:
            self._known[interaction.id] = self._record(interaction)
        return self._known[interaction.id]

    def _record(self, interaction: Interaction) -> Recording:
        pairs: list[tuple[Question, Answer]] = []

        def answering(request: requests.PreparedRequest) -> Answer:
            question, request.body = asked(request)
            answer = self._fake.answer(request)
            pairs.append((question, answer))
            return answer

        unique = f"{len(self._known):016x}"
        key = {"client_id": unique, "private_key": "-----BEGIN KEY-----"}
        report = verify(
            URL,
            key,
            session=Service(answering).session(),
            interactions=[interaction],
            unique=lambda: unique,
            own_account=False,
        )
        assert report.ok, str(report)
        asks_for_control = not interaction.safe or interaction.requires == CONTROL
        before = 2 if asks_for_control else 1  # the token, and whether there is a control API
        steps = [*[None] * before, *_taken(interaction, [answer for _, answer in pairs[before:]])]
        exchanges = tuple(
            Exchange(step, question, answer) for step, (question, answer) in zip(steps, pairs, strict=True)
        )
        return Recording(interaction, key, unique, exchanges)


def _taken(interaction: Interaction, answers: list[Answer]) -> list[Step]:
    """The steps that were taken: all, or those up to one whose answer ends the interaction, and the cleanup."""
    steps: list[Step] = []
    for step, answer in zip(interaction.steps, answers, strict=False):
        steps.append(step)
        if answer.status == step.ends_on:
            break
    return [*steps, *interaction.cleanup]


def asked(request: requests.PreparedRequest) -> tuple[Question, Any]:
    """What a request asks for, and a body that can still be sent: chunks are read once."""
    body: Any = request.body
    if body is None or isinstance(body, (str, bytes)):
        content = body.encode() if isinstance(body, str) else body or b""
    else:
        chunks = list(_chunks(body))
        content, body = b"".join(chunks), iter(chunks)
    headers = frozenset((name, str(text)) for name, text in request.headers.items())
    return Question(request.method or "", request.url or "", headers, content), body


def _chunks(body: Iterable[bytes]) -> Iterator[bytes]:
    yield from body
