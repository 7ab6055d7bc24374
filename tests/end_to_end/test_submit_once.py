"""A submission through bad luck of the whole: a server that is started again, an answer lost behind an upload."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conductor.cli import cli
from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor.lib.config import Config
from conductor.lib.exceptions import UnreachableError
from conductor.lib.submission.ledger import Ledger, ledger_folder
from conductor.lib.wire.transport import Transport
from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from support.control import Control
from support.disk import write_tree
from support.farm import job
from support.proxy import Proxy


@dataclass
class Site:
    """A fake that can be stopped and started again over the same data, on another port."""

    folder: Path
    honour_keys: bool = True
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    _running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        settings = Settings(data_dir=self.folder / "data", speed=1, honour_keys=self.honour_keys)
        server = self._running.enter_context(Server(create_app(settings)))
        self.port, self.environment = server.port, server.environment()

    def stop(self) -> None:
        self._running.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self, operation: str, kind: str, **fault: Any) -> None:
        rule = {"match": {"operation": operation}, "fault": {"kind": kind, **fault}, "times": 1}
        Control(self.url).ask("POST", "/_mock/faults", rule)

    def client(self, pause: Any = lambda _: None, url: str = "") -> ApiClient:
        environ = {**self.environment, "CONDUCTOR_URL": url or self.url}
        environ["CONDUCTOR_API_URL"] = environ["CONDUCTOR_URL"]
        config = Config.load(environ=environ, home=self.folder)
        return ApiClient(config, transport=Transport(environ={}, sleep=pause))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    opened = Site(tmp_path)
    opened.start()
    yield opened
    opened.stop()


def test_a_server_that_is_started_again_between_two_attempts_makes_one_job(site: Site) -> None:
    """The first request was carried out, its answer lost; the second one finds another process with the same data."""
    restarts: list[float] = []

    def restart(seconds: float) -> None:
        restarts.append(seconds)
        site.stop()
        site.start()
        proxy.target_port = site.port

    site.fault("jobs.create", "lost_answer")
    with Proxy(site.port) as proxy, site.client(restart, proxy.url) as client:
        response, status = Submit(job(), client=client).main()
    assert (status, len(restarts)) == (201, 1)
    assert [made["jid"] for made in Control(site.url).jobs()] == [response["jobid"]]
    assert [entry["status"] for entry in Control(site.url).journal("jobs.create")] == [201, 201]


def test_a_server_without_keys_that_is_started_again_shows_the_job(tmp_path: Path) -> None:
    site = Site(tmp_path, honour_keys=False)
    site.start()
    site.fault("jobs.create", "lost_answer")
    with site.client() as client:
        response, status = Submit(job(), client=client).main()
    jobs = Control(site.url).jobs()
    asked = Control(site.url).journal("jobs.create")
    site.stop()
    assert (status, [made["jid"] for made in jobs], len(asked)) == (201, [response["jobid"]], 1)


def test_everything_may_go_wrong_once_on_the_way(site: Site, tmp_path: Path) -> None:
    (scene,) = write_tree(tmp_path, {"project/scene.ma": b"x" * 3_000_000})
    site.fault("auth.token", "status", status=503)
    site.fault("files.get_upload_urls", "status", status=429, retry_after=1)
    site.fault("objects.put", "reset", read_body=False)  # in the middle of the body
    site.fault("jobs.create", "truncate")
    with site.client() as client:
        _, status = Submit(job(scene), client=client).main()
    control = Control(site.url)
    assert (status, len(control.jobs()), set(control.files())) == (201, 1, {str(scene)})


def test_what_cannot_be_decided_is_exit_code_4_and_names_what_to_look_for(tmp_path: Path) -> None:
    site = Site(tmp_path, honour_keys=False)
    site.start()
    site.fault("jobs.create", "lost_answer")
    given = tmp_path / "job.json"
    given.write_text(
        '{"job_title": "bad luck", "instance_type": "n1-standard-2", "project": "default", '
        '"tasks_data": [{"command": "render"}], "output_path": "/proj/out", "owner": "kim"}'
    )
    with Ledger(ledger_folder(), site.url, "bad luck").entry():  # another process is at it, too
        result = CliRunner().invoke(cli, ["submit", "--file", str(given)], env=site.environment)
    jobs = Control(site.url).jobs()
    site.stop()
    assert len(jobs) == 1
    assert result.exit_code == 4
    assert "a job titled 'bad luck'" in result.stderr
    assert "it may be job 00001" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("fresh", [True, False], ids=["a client each", "one client"])
@pytest.mark.parametrize("honour_keys", [True, False], ids=["keys", "no keys"])
def test_of_two_submissions_of_one_title_the_lost_one_is_not_the_other(
    tmp_path: Path, honour_keys: bool, fresh: bool
) -> None:
    site = Site(tmp_path, honour_keys=honour_keys)
    site.start()
    with site.client() as client:
        first, _ = Submit(job(), client=client).main()
        site.fault("jobs.create", "reset")  # before the service acts
        with site.client() if fresh else nullcontext(client) as second:
            if honour_keys:
                answer, _ = Submit(job(), client=second).main()
                assert answer["jobid"] == "00002"
            else:
                with pytest.raises(UnreachableError, match="no job was made, submit again"):
                    Submit(job(), client=second).main()
    jobs = Control(site.url).jobs()
    site.stop()
    assert first["jobid"] == "00001"
    assert len(jobs) == (2 if honour_keys else 1)


def test_lost_answers_are_told_apart_by_what_was_there_before(tmp_path: Path) -> None:
    site = Site(tmp_path, honour_keys=False)
    site.start()
    answers = []
    for _ in range(3):
        site.fault("jobs.create", "lost_answer")
        with site.client() as client:
            answers.append(Submit(job(), client=client).main()[0]["jobid"])
    site.stop()
    assert answers == ["00001", "00002", "00003"]
