"""The md5 cache: what counts as unchanged, and a cache that is of no use."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import platformdirs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor.lib.config import Config
from conductor.lib.exceptions import BadArgumentError
from conductor.lib.files import cache_file
from conductor.lib.files.hashing import hash_file
from conductor.lib.files.local import LocalFile, look_at
from conductor.lib.files.local_paths import cache_folder
from conductor.lib.md5_cache import FILE_NAME, Md5Cache, configured_cache, default_path, user_cache
from support.client_world import md5_of

LATER = 10_000_000_000  # nanoseconds after the files here are written


def cache_at(path: Path, files: list[LocalFile], age: int = LATER) -> Md5Cache:
    """Return a cache whose clock is this long after the files were written."""
    newest = max(max(file.stat.st_mtime_ns, file.stat.st_ctime_ns) for file in files)
    return Md5Cache(path, now_ns=lambda: newest + age)


def make(folder: Path, *names: str) -> list[LocalFile]:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return [hash_file(str(folder / name)) for name in names]


def test_unchanged_files_are_known_with_their_md5(tmp_path: Path) -> None:
    files = make(tmp_path, "a", "b")
    cache = cache_at(tmp_path / "new/cache", files)
    assert cache.known(files) == {}
    cache.remember(files)
    paths = [file.path for file in files]
    assert cache.known(look_at(paths)) == {file.path: file for file in files}


def test_many_files_are_looked_up(tmp_path: Path) -> None:
    files = make(tmp_path, *(f"f{n}" for n in range(1201)))
    cache = cache_at(tmp_path / "cache", files)
    cache.remember(files)
    assert len(cache.known(files)) == 1201


def test_a_file_that_changed_in_any_way_is_not_known(tmp_path: Path) -> None:
    [file] = make(tmp_path, "a")
    cache = cache_at(tmp_path / "cache", [file])
    cache.remember([file])
    stat = file.stat
    (tmp_path / "a").write_bytes(b"b")
    os.utime(tmp_path / "a", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert cache.known(look_at([file.path])) == {}


def test_a_newer_md5_replaces_the_old_one(tmp_path: Path) -> None:
    [old] = make(tmp_path, "a")
    cache = cache_at(tmp_path / "cache", [old], age=10 * LATER)
    cache.remember([old])
    (tmp_path / "a").write_bytes(b"longer")
    new = hash_file(old.path)
    cache.remember([new])
    assert cache.known([new])[new.path].md5 == md5_of(b"longer")


def test_a_file_written_just_now_is_not_kept(tmp_path: Path) -> None:
    files = make(tmp_path, "a")
    cache = cache_at(tmp_path / "cache", files, age=1_000_000_000)
    cache.remember(files)
    assert not (tmp_path / "cache").exists()


GRAIN = 2_000_000_000
"""Nanoseconds between two times that every file system tells apart."""
AGES = st.sampled_from([0, 1, GRAIN - 1, GRAIN, GRAIN + 1, GRAIN + 2, LATER]) | st.integers(-LATER, LATER)


@example(written=GRAIN, changed=LATER)
@example(written=LATER, changed=GRAIN + 1)
@given(written=AGES, changed=AGES)
def test_a_file_is_kept_only_if_both_of_its_times_lie_farther_back_than_a_clocks_grain(
    written: int, changed: int
) -> None:
    """A copy keeps the time of its source, and the clock of a file server is another."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        [file] = make(folder, "a")
        now = 100 * LATER
        times = {"st_mtime_ns": now - written, "st_ctime_ns": now - changed}
        file = file._replace(stat=os.stat_result(file.stat, times))
        cache = Md5Cache(folder / "cache", now_ns=lambda: now)
        cache.remember([file])
        assert (cache.known([file]) == {file.path: file}) is (min(written, changed) > GRAIN)


def test_a_file_that_was_not_hashed_keeps_nobody_from_being_remembered(tmp_path: Path) -> None:
    hashed, other = make(tmp_path, "a", "b")
    cache = cache_at(tmp_path / "cache", [hashed, other])
    cache.remember([other._replace(md5=None), hashed])
    assert cache.known([hashed, other]) == {hashed.path: hashed}


def test_a_cache_tells_the_time_that_it_is_to_be_told() -> None:
    assert Md5Cache(Path("unused"), now_ns=lambda: 5).now_ns() == 5


def _config(**settings: str) -> Config:
    return Config.load(environ={f"CONDUCTOR_{name.upper()}": value for name, value in settings.items()})


def test_the_cache_is_the_one_that_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {
        None: default_path(),
        str(tmp_path / "mine.db"): tmp_path / "mine.db",
        "~/mine.db": Path.home() / "mine.db",
    }
    for named, path in asked.items():
        settings = {} if named is None else {"database_filepath": named}
        for caching in ({}, {"md5_caching": "true"}):
            cache = configured_cache(_config(**settings, **caching))
            assert cache is not None
            assert cache.path == user_cache(named).path == path
        assert configured_cache(_config(**settings, md5_caching="false")) is None


def test_a_setting_of_the_cache_that_is_left_empty_is_not_given(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("md5_caching:\ndatabase_filepath: null\n")
    cache = configured_cache(Config.load(environ={"CONDUCTOR_CONFIG": str(tmp_path / "config.yml")}))
    assert cache is not None
    assert cache.path == default_path()


def test_only_what_is_wrong_with_the_settings_of_the_cache_is_an_error() -> None:
    with pytest.raises(BadArgumentError, match="md5_caching"):
        configured_cache(_config(md5_caching="perhaps"))
    cache = configured_cache(_config(priority="high", chunk_size="many"))
    assert cache is not None, "what else is wrong is said where it is used"


def test_a_damaged_cache_is_set_aside_with_a_warning_and_a_new_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = make(tmp_path, "a")
    path = tmp_path / FILE_NAME
    damage = b"this is no database, and long enough to be seen as none" * 20
    path.write_bytes(damage)
    cache = cache_at(path, files)
    assert cache.known(files) == {}
    cache.remember(files)
    assert cache.known(files) == {file.path: file for file in files}
    assert (tmp_path / f"{FILE_NAME}.damaged").read_bytes() == damage
    assert caplog.text.count("is damaged") == 1


def test_a_cache_damaged_in_the_middle_is_set_aside_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = make(tmp_path, *(f"f{n}" for n in range(500)))
    cache = cache_at(tmp_path / "named.db", files)
    cache.remember(files)
    content = bytearray((tmp_path / "named.db").read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    (tmp_path / "named.db").write_bytes(content)
    cache.known(files)
    cache.remember(files)
    assert cache.known(files) == {file.path: file for file in files}
    assert "is damaged" in caplog.text


def test_a_file_of_another_kind_is_never_moved(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = make(tmp_path, "a")
    scene = tmp_path / "scene.ma"
    scene.write_bytes(b"a scene that somebody named by mistake" * 50)
    cache = cache_at(scene, files)
    assert cache.known(files) == {}
    cache.remember(files)
    assert scene.read_bytes() == b"a scene that somebody named by mistake" * 50
    assert "is no SQLite file" in caplog.text


def test_the_time_that_counts_is_when_the_files_were_looked_at(tmp_path: Path) -> None:
    """A file written twice within the clock's grain, hashed in between, and remembered only after a long upload."""
    files = make(tmp_path, "a")
    looked_at = max(files[0].stat.st_mtime_ns, files[0].stat.st_ctime_ns)
    cache = cache_at(tmp_path / "cache", files, age=100 * LATER)
    cache.remember(files, seen_ns=looked_at)
    assert cache.known(files) == {}


def test_the_oldest_rows_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cache_file.KEPT, "md5s", 10)
    files = make(tmp_path, *(f"f{n}" for n in range(25)))
    cache = cache_at(tmp_path / "cache", files)
    for file in files:
        cache.remember([file])
    assert set(cache.known(files)) == {file.path for file in files[-10:]}


REMEMBER = """
import sys
from pathlib import Path
from conductor.lib.files.hashing import hash_file
from conductor.lib.md5_cache import Md5Cache
cache = Md5Cache(Path(sys.argv[1]), now_ns=lambda: 2**62)
for path in sys.argv[2:]:
    cache.remember([hash_file(path)])
    assert path in cache.known([hash_file(path)])
"""


def test_many_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    files = make(tmp_path, *(f"f{n}" for n in range(60)))
    paths = [file.path for file in files]
    cache = tmp_path / "cache"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", REMEMBER, str(cache), *paths[start::4]], stderr=subprocess.PIPE, text=True
        )
        for start in range(4)
    ]
    complaints = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, complaints
    assert complaints == [""] * 4
    assert set(cache_at(cache, files).known(files)) == set(paths)


def test_a_cache_that_cannot_be_written_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = make(tmp_path, "a")
    cache_at(tmp_path / "a/folder/cache", files).remember(files)
    assert "not kept" in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="it is platformdirs that says so elsewhere")
@given(
    st.none()
    | st.sampled_from(["", " ", "~", "~/c", "c", "./c", "/", "//c", "/c/", "/ c", "/c/../d"])
    | st.text("/.~ c")
)
def test_the_cache_of_a_user_lies_where_platformdirs_has_it(named: str | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XDG_CACHE_HOME", raising=False)
        if named is not None:
            patch.setenv("XDG_CACHE_HOME", named)
        assert cache_folder() == Path(platformdirs.user_cache_dir("conductor"))


def test_the_cache_lies_with_the_user_and_not_in_the_shared_folder(home: Path) -> None:
    assert default_path().is_relative_to(home)


@pytest.mark.parametrize("name", [os.fsdecode(b"\xff"), os.fsdecode(b"a\xfe\xffb"), "\ud800"])
def test_a_path_that_is_no_text_is_not_remembered_and_no_error(tmp_path: Path, name: str) -> None:
    cache = Md5Cache(tmp_path / "cache.db", now_ns=lambda: 2**62)
    (tmp_path / "f").write_bytes(b"abc")
    good = hash_file(str(tmp_path / "f"))
    odd = good._replace(path=f"{tmp_path}/{name}")
    cache.remember([odd, good])
    assert cache.known([odd, good]) == {good.path: good}
