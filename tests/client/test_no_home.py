"""A user without a home folder (a container, a service of the system), and names that no disk holds."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest
import responses

from conductor.lib.config import Config
from conductor.lib.download.plan import Placement
from conductor.lib.download.records import DownloadFile
from conductor.lib.exceptions import ConfigError
from conductor.lib.files.cache_file import CacheFile, default_path
from conductor.lib.files.local_paths import NO_HOME, home
from conductor.lib.login.credentials import Token, TokenStore, credentials_folder
from conductor.lib.md5_cache import user_cache
from conductor.lib.submission.ledger import Ledger, ledger_folder
from support.client_world import URL
from support.command_line import run, service_of_commands

LONG = "n" * 300


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "XDG_CACHE_HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[responses.RequestsMock]:
    with service_of_commands(monkeypatch) as requests_mock:
        yield requests_mock


@pytest.mark.usefixtures("homeless")
def test_commands_work_without_a_home_and_make_nothing_in_its_stead(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    mock.add("GET", f"{URL}/api/v1/jobs", json={"data": []})
    before = sorted(tmp_path.iterdir())
    assert run("jobs").exit_code == 0
    shown = run("config", "show", "--json")
    assert shown.exit_code == 0
    assert {"name": "owner", "value": None, "source": "default"} in json.loads(shown.stdout)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.usefixtures("homeless")
def test_what_would_lie_in_a_home_is_done_without_or_fails_by_a_name_that_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    folders = (home(), default_path(), ledger_folder(), credentials_folder())
    assert all(folder.is_relative_to(NO_HOME) for folder in folders)
    CacheFile(default_path()).write(lambda _connection: None, "not kept")
    store = TokenStore(credentials_folder() / "t")
    store.write(Token("t", 1, "o"))
    assert store.read() is None
    with Ledger(ledger_folder(), URL, "T").entry() as entry:
        assert entry.others().unsettled, "it cannot be seen what others made"
    assert sum("there is no home folder, set HOME" in one.getMessage() for one in caplog.records) == 3
    with pytest.raises(ConfigError, match=r"the login cannot be kept: .*set HOME"):
        store.write_browser_login(Token("t", 1), [])
    placed = Placement().place(DownloadFile("f", None, 1, "00001", "000", "C:/x", "u"))
    assert placed.path.is_relative_to(NO_HOME)


@pytest.mark.usefixtures("homeless")
def test_a_relative_home_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "here")
    assert (home(), default_path().is_relative_to(NO_HOME)) == (NO_HOME, True)


def test_the_settings_are_found_below_a_tilde(tmp_path: Path) -> None:
    folder = home() / "studio"
    folder.mkdir()
    (folder / "config.yml").write_text("thread_count: 7\n")
    for variables in ({"CONDUCTOR_USER_DIR": "~/studio"}, {"CONDUCTOR_CONFIG": "/gone:~/studio/config.yml"}):
        assert Config.load(environ=variables, home=tmp_path)["thread_count"] == 7


def test_places_that_cannot_be_hold_no_settings(tmp_path: Path) -> None:
    for folder in (LONG, "/dev/null", "~nobody-at-all/x", "a\0b"):
        assert Config.load(environ={"CONDUCTOR_USER_DIR": folder}, home=tmp_path)["thread_count"] is None
        with pytest.raises(ConfigError, match="names no file that can be read"):
            Config.load(environ={"CONDUCTOR_CONFIG": folder}, home=tmp_path)


@pytest.mark.parametrize("name", ["/", "~nobody-at-all/x", LONG, "folder", "pipe", "folder/../..", "file/x"])
def test_a_cache_that_cannot_be_is_done_without_and_nothing_is_put_beside_it(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.rglob("*"))
    cache = user_cache(name)
    assert cache.known([]) == {}
    CacheFile(cache.path).write(lambda _connection: None, "md5s are not kept")
    if not name.startswith("~"):  # a folder of that name, which is made
        assert sorted(tmp_path.rglob("*")) == before
        assert "md5s are not kept" in caplog.text


def test_what_the_system_refuses_is_a_sentence(mock: responses.RequestsMock) -> None:
    refused = run("catalog", "export", LONG)
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "the system refused: [Errno 36] File name too long" in refused.stderr


@pytest.mark.parametrize("expiration", ["1e999", "-1e999", "NaN", "9" * 400, "[]", "null"])
def test_a_stored_token_that_ends_at_no_time_is_ignored(tmp_path: Path, expiration: str) -> None:
    path = tmp_path / "t"
    path.write_text(f'{{"access_token": "t", "expiration": {expiration}}}')
    found = TokenStore(path).read()
    assert found is None or not found.valid_for(URL, 0.0)
