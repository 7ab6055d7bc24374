"""Whose commands run: of one account, whose key its owner has, and beyond loopback not on the server's machine."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from conductor_mock.execution import setup
from conductor_mock.execution.errors import ExecutionError
from conductor_mock.execution.pool import Pool, open_pool
from conductor_mock.farm.ids import account_id
from support.execution import NO_SANDBOX, executing, needs_sandbox
from support.server import ApiCaller, running

ELSEWHERE = "dask://elsewhere:8786"


def opened_before(data: Path) -> str:
    """A data directory in which somebody has signed in; their `client_id`."""
    with running(data_dir=data) as fake:
        return fake.caller("studio").client_id


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster as far as anybody asks: threads of this process."""

    def opening(url: str | None, slots: int | None) -> Pool:
        return open_pool(None if url == ELSEWHERE else url, slots)

    monkeypatch.setattr(setup, "open_pool", opening)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, "--executor and --execute-account"),
        ({"executor": ELSEWHERE}, "needs --execute-account,"),
        ({"execute_account": "somebody"}, "needs --executor,"),
    ],
)
def test_beyond_loopback_commands_run_elsewhere_and_for_a_named_account(
    cluster: None, tmp_path: Path, settings: dict[str, Any], missing: str
) -> None:
    with (
        pytest.raises(ExecutionError, match=missing),
        executing(tmp_path / "data", loopback=False, **settings),
    ):
        pass


@pytest.mark.parametrize("beyond", [{}, {"loopback": False, "executor": ELSEWHERE, "admin_token": "t"}])
def test_only_the_named_accounts_tasks_run(cluster: None, tmp_path: Path, beyond: dict[str, Any]) -> None:
    name = opened_before(tmp_path / "data")
    with executing(tmp_path / "data", execute_account=name, **beyond) as render:
        for one in render.fake.service.accounts.ids():
            with render.fake.service.accounts.open(one) as account:
                assert bool(account.state.options.execute) == (account.state.client_id == name)
        stranger: ApiCaller = render.fake.newcomer()
        with render.fake.service.accounts.open(account_id(stranger.client_id)) as account:
            assert not account.state.options.execute


@pytest.mark.parametrize("name", ["never-seen", "a browser without consent", "somebody@example.com"])
def test_an_account_that_the_first_visitor_would_own_is_refused(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(ExecutionError, match="--execute-account"),
        executing(tmp_path / "data", execute_account=name),
    ):
        pass


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        pytest.param("auto", "in a sandbox of bubblewrap, without network", marks=needs_sandbox),
        pytest.param("bubblewrap", "in a sandbox of bubblewrap, without network", marks=needs_sandbox),
        ("none", "without a sandbox, and reach whatever you can: it is turned off"),
    ],
)
def test_the_server_says_at_its_start_what_tasks_reach(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, words: str
) -> None:
    caplog.set_level(logging.INFO)
    with executing(tmp_path / "data", execute_sandbox=kind):
        assert words in caplog.text


def test_without_bubblewrap_auto_goes_on_and_says_so_and_bubblewrap_does_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with executing(tmp_path / "data", execute_sandbox="auto"):
        assert "bubblewrap (bwrap) is not installed" in caplog.text
    with (
        pytest.raises(ExecutionError, match=r"bubblewrap \(bwrap\) is not installed"),
        executing(tmp_path / "data", execute_sandbox="bubblewrap"),
    ):
        pass


def test_a_readable_path_is_absolute(tmp_path: Path) -> None:
    with (
        pytest.raises(ExecutionError, match="--execute-read needs an absolute path"),
        executing(tmp_path / "data", execute_read=("here",)),
    ):
        pass


def test_where_no_sandbox_works_the_reason_is_known() -> None:
    """Tests of the sandbox are skipped then, with these words."""
    assert NO_SANDBOX == "" or "bubblewrap" in NO_SANDBOX
