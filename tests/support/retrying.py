"""The client against the retry table: one case after another on one fake, requests and effects counted after each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conductor.lib.api_client import ApiClient
from conductor.lib.config import Config
from conductor.lib.exceptions import Acted, ConductorError, OutcomeUnknownError
from conductor.lib.files.local import look_at
from conductor.lib.login.api_keys import api_key
from conductor.lib.submission.ledger import ledger_folder
from conductor.lib.uploader import Uploader
from conductor.lib.wire.transport import Transport
from conductor_contracts.retries import Case
from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.inprocess import in_process
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.store.wall import wall_us
from support.control import PATIENCE_S, Control
from support.server import ManualWall

IN_PARTS = ("objects.put_part", "files.complete_multipart")
UPLOADS = ("files.get_upload_urls", "objects.put", *IN_PARTS)
SCENE = b"a scene"
STALLED_S = 30
"""How long the stalls of the table are."""


@dataclass(frozen=True)
class Result:
    """What came of a call: success, failure or unknown; the answer or the error; what there is of it on the service."""

    outcome: str
    effects: int
    requests: int
    answer: Any = None
    error: ConductorError | None = None


@dataclass
class Bench:
    """A fake and a client with its waits taken away. The client has had an answer before each case begins."""

    url: str
    environment: Mapping[str, str] = field(repr=False)
    folder: Path
    read_timeout: float
    wall: ManualWall | None = None
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.control = Control(self.url)
        self._config = Config.load(environ=self.environment, home=self.folder)
        (self.folder / "scene.ma").write_bytes(SCENE)

    def run(self, case: Case) -> Result:
        """Play a case of the table."""
        return self.play(case.operation, [case.rule()])

    def play(self, operation: str, rules: list[dict[str, Any]]) -> Result:
        """Ask for these faults on a fake as new, make one call, and count."""
        return self.play_often(operation, rules, 1)[0]

    def play_often(self, operation: str, rules: list[dict[str, Any]], calls: int) -> list[Result]:
        """Ask for these faults on a fake as new, make so many calls one after another, and count after each."""
        with self._client() as client:
            client.list_projects()
            self.control.reset()
            self.control.forget_journal()  # of requests without an account, too
            shutil.rmtree(ledger_folder(), ignore_errors=True)  # jobs have the same ids again
            if operation in IN_PARTS:
                self.control.ask("POST", "/_mock/options", {"part_size": len(SCENE) // 2 + 1})
            for rule in rules:
                self.control.ask("POST", "/_mock/faults", rule)
            return [self._call(client, operation) for _ in range(calls)]

    def play_on(self, operation: str) -> Result:
        """Make one more call, of a client that knows nothing, without any fault."""
        self.control.ask("DELETE", "/_mock/faults")
        with self._client() as client:
            return self._call(client, operation)

    def consumed(self, kind: str, operation: str) -> int:
        """How many requests of an operation got a fault of that kind."""
        rules = self.control.ask("GET", "/_mock/faults")["faults"]
        return sum(
            rule["consumed"]
            for rule in rules
            if (rule["fault"]["kind"], rule["match"].get("operation")) == (kind, operation)
        )

    def _wait(self, seconds: float) -> None:
        """Let the service's clock go on as far as a client would wait, where it is ours."""
        self.waits.append(seconds)
        if self.wall is not None:
            self.wall.step(seconds)

    def _call(self, client: ApiClient, operation: str) -> Result:
        try:
            answer = self._calls(client)[operation]()
        except ConductorError as error:
            return self._failed(operation, error)
        return Result("success", self._effects(operation), self._asked(operation), answer)

    def _failed(self, operation: str, error: ConductorError) -> Result:
        outcome = "unknown" if isinstance(error, OutcomeUnknownError) else "failure"
        if operation == "jobs.create":
            assert (error.acted is Acted.NO) == (outcome == "failure"), error
        return Result(outcome, self._effects(operation), self._asked(operation), error=error)

    def _client(self) -> ApiClient:
        transport = Transport(
            environ={}, sleep=self._wait, random=lambda: 0.0, read_timeout=self.read_timeout
        )
        return ApiClient(self._config, transport=transport)

    def _calls(self, client: ApiClient) -> dict[str, Callable[[], Any]]:
        key = api_key(self._config)
        assert key is not None
        upload = lambda: Uploader(client).upload(look_at([str(self.folder / "scene.ma")]))  # noqa: E731
        return {
            "auth.token": lambda: client.fetch_token(key),
            "accounts.get": client.get_account,
            "packages.list": client.list_packages,
            "projects.list": client.list_projects,
            "instance_types.list": client.list_instance_types,
            "jobs.list": client.list_jobs,
            **dict.fromkeys(UPLOADS, upload),
            "jobs.create": lambda: client.create_job(JOB),
        }

    def _effects(self, operation: str) -> int:
        if operation in UPLOADS:
            return len(self.control.files())
        return len(self.control.jobs())

    def _asked(self, operation: str) -> int:
        return len(self.control.journal(operation))


JOB = {
    "job_title": "once",
    "owner": "kim",
    "project": "default",
    "instance_type": "n1-standard-2",
    "tasks_data": [{"command": "render -f 1", "frames": "1"}],
    "output_path": "/proj/out",
}


@contextmanager
def bench_in_process(folder: Path, *, keys: bool = True, wall: ManualWall | None = None) -> Iterator[Bench]:
    """A bench in this process, at speed 1: the client compares the times of jobs with its own.

    A `wall` is the service's clock, which goes on while the client waits, and only then. The client's patience ends
    before any stall of the table does; neither is waited for.
    """
    settings = Settings(ephemeral=True, speed=1, honour_keys=keys)
    with in_process(settings, wall=wall or wall_us) as fake:
        yield Bench(fake.url, fake.environment(), folder, read_timeout=STALLED_S / 2, wall=wall)


@contextmanager
def bench_on_a_socket(
    folder: Path, *, keys: bool = True, read_timeout: float = PATIENCE_S
) -> Iterator[Bench]:
    """A bench with a served fake, whose faults are those of a socket."""
    with ExitStack() as stack:
        app = create_app(Settings(ephemeral=True, speed=1, honour_keys=keys))
        server = stack.enter_context(Server(app))
        assert service_of(app).settings.honour_keys is keys
        yield Bench(server.url, server.environment(), folder, read_timeout)
