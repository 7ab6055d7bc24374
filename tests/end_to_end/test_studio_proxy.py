"""The command line behind a studio's proxy, with certificates of the studio's own authority."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result

from conductor.cli import cli
from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from support.connect_proxy import NAME, PASSWORD, ConnectProxy

HOST = "dashboard.conductor.test"
URL = f"https://{HOST}"


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[ConnectProxy]:
    with (
        Server(create_app(Settings(ephemeral=True))) as server,
        ConnectProxy(server.port, tmp_path, HOST) as opened,
    ):
        opened.environment.update(server.environment(), CONDUCTOR_URL=URL, CONDUCTOR_API_URL=URL)
        yield opened


def run(proxy: ConnectProxy, *words: str, login: str = f"{NAME}:{quote(PASSWORD)}@", **more: str) -> Result:
    environ = {
        **proxy.environment,
        "HTTPS_PROXY": f"http://{login}{proxy.address}",
        "REQUESTS_CA_BUNDLE": str(proxy.bundle),
        **more,
    }
    return CliRunner().invoke(cli, list(words), env=environ)


@pytest.mark.parametrize(
    "words",
    [["projects"], ["packages", "--json"], ["instance-types"], ["jobs"], ["usage"]],
    ids=lambda w: w[0],
)
def test_every_request_goes_through_the_proxy_and_trusts_the_studios_authority(
    proxy: ConnectProxy, words: list[str]
) -> None:
    done = run(proxy, *words)
    assert done.exit_code == 0, done.output
    assert {line.rpartition(" ")[0] for line in proxy.asked} == {f"CONNECT {HOST}:443"}


def test_a_job_is_submitted_through_the_proxy(proxy: ConnectProxy) -> None:
    options = ["--job-title", "t", "--project", "default", "--instance-type", "n1-standard-2"]
    work = ["--tasks-data", '[{"command": "render", "frames": "1"}]', "--output-path", "/proj/out"]
    done = run(proxy, "submit", *options, *work)
    assert (done.exit_code, done.stdout) == (0, "submitted job 00001 (201)\n"), done.output


def test_a_proxy_that_wants_another_password_is_said_without_the_one_that_was_given(
    proxy: ConnectProxy,
) -> None:
    done = run(proxy, "projects", login="kim:hunter2@")
    assert done.exit_code == 1
    assert "407" in done.stderr
    assert "hunter2" not in done.output
    assert "Traceback" not in done.output


def test_without_the_studios_authority_the_message_says_how_to_name_it(proxy: ConnectProxy) -> None:
    done = run(proxy, "projects", REQUESTS_CA_BUNDLE="")
    assert done.exit_code == 1
    assert "REQUESTS_CA_BUNDLE for a private authority" in done.stderr
    assert "1 attempt" in done.stderr


NO = "localhost,.conductor.test"


def test_a_host_of_no_proxy_is_asked_for_directly(proxy: ConnectProxy) -> None:
    done = run(proxy, "projects", NO_PROXY=NO, no_proxy=NO, CONDUCTOR_URL=URL)
    assert done.exit_code == 1
    assert proxy.asked == [], "and there is no such host"
