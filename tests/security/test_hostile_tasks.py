"""What a task leaves in its folder is a stranger's: links, pipes, holes, names without end, folders without end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.execution import collection, folders
from conductor_mock.execution.collection import CollectionError, Made
from conductor_mock.execution.wanted import runs_folder
from conductor_mock.execution.workspace import Workspace
from support.execution import Render, eventually, executing

SECRET = b"not the task's"
DEEP = "import os\nfor _ in range(1100):\n    os.mkdir('deep-folder')\n    os.chdir('deep-folder')\nopen('end', 'w')\n"


@pytest.fixture
def render(tmp_path: Path) -> Iterator[Render]:
    with executing(tmp_path / "data") as opened:
        yield opened


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    root = folders.open_root(folder)
    try:
        yield root
    finally:
        os.close(root)


@contextmanager
def two_folders() -> Iterator[tuple[Path, Path]]:
    """A run's folder with an output folder at a/out, and a folder that is nobody's business."""
    with tempfile.TemporaryDirectory() as name:
        run, outside = Path(name, "run"), Path(name, "outside")
        (run / "a" / "out").mkdir(parents=True)
        outside.mkdir()
        (outside / "secret").write_bytes(SECRET)
        (outside / "out").mkdir()
        (outside / "out" / "secret").write_bytes(SECRET)
        yield run, outside


def fetched(root: int, made: Made) -> bytes:
    with os.fdopen(collection.open_made(root, ["a", "out"], made), "rb") as stream:
        return stream.read()


NAMES = st.sampled_from(["x", "y y", "-rf", "*", "\n", "'", '"', "\\", "é", "\udce9", "z" * 255, "..."])
KINDS = st.sampled_from(
    ["file", "folder", "pipe", "out", "in", "root", "nowhere", "itself", "hard", "hole", "shut"]
)
Tree = list[tuple[list[str], str]]


def plant(out: Path, outside: Path, tree: Tree) -> None:
    """Make what a tree says, as far as there is room for it."""
    shut: list[Path] = []
    for names, kind in tree:
        path = out.joinpath(*names)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path):
                continue
            if kind in ("file", "hole"):
                path.touch()
                os.truncate(path, 1 << 40 if kind == "hole" else 3)
            elif kind == "hard":
                os.link(outside / "secret", path)
            elif kind in ("folder", "shut"):
                path.mkdir()
                shut += [path] if kind == "shut" else []
            elif kind == "pipe":
                os.mkfifo(path)
            else:
                targets = {"out": outside / "secret", "in": out / "in", "root": Path("/"), "itself": path}
                path.symlink_to(targets.get(kind, Path("nowhere")))
        except OSError:
            continue
    for path in shut:
        path.chmod(0)


@given(st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=4), KINDS), max_size=12))
def test_only_files_of_the_output_folder_are_collected_and_all_is_taken_away(tree: Tree) -> None:
    with two_folders() as (run, outside):
        out = run / "a" / "out"
        (out / "in").write_bytes(b"within")
        plant(out, outside, tree)
        with opened(run) as root:
            collected = collection.collect(root, ["a", "out"], {})
            for made in collected.made:
                real = (out / made.path).resolve()
                assert real.is_relative_to(out.resolve())
                assert real.is_file()
                with os.fdopen(collection.open_made(root, ["a", "out"], made), "rb") as stream:
                    assert os.fstat(stream.fileno()).st_ino == real.stat().st_ino
        offered = {made.path for made in collected.made}
        files = {
            str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and not path.is_symlink()
        }
        assert {name for name in files if "\udce9" not in name} <= offered
        Workspace(run).remove()
        assert not run.exists()
        assert (outside / "out" / "secret").read_bytes() == SECRET, "nothing else was taken away"


def swap(path: Path, outside: Path) -> None:
    """Replace a folder by a link that leads out."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name("moved"))
        path.symlink_to(outside)


@pytest.mark.parametrize("which", ["a", "a/out", "a/out/inner"])
@pytest.mark.parametrize("action", ["collect", "fetch", "remove"])
def test_a_folder_that_becomes_a_link_at_any_moment_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, which: str, action: str
) -> None:
    """The moments are those before each opening of a name: nothing else is ever asked of a path."""
    real_open = os.open
    moments = 0
    while True:
        with two_folders() as (run, outside):
            (run / "a" / "out" / "inner").mkdir()
            (run / "a" / "out" / "inner" / "secret").write_bytes(b"the task's")
            (run / "a" / "out" / "secret").write_bytes(b"the task's")
            count = 0

            def opening(
                name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None,
                run: Path = run, outside: Path = outside, moments: int = moments,
            ) -> int:  # fmt: skip
                nonlocal count
                if count == moments:
                    swap(run / which, outside)
                count += 1
                return real_open(name, flags, mode, dir_fd=dir_fd)

            with opened(run) as root:
                said = act(root, run, action, lambda do: _with(monkeypatch, opening, do))
            assert SECRET not in said
            assert (outside / "secret").read_bytes() == (outside / "out" / "secret").read_bytes() == SECRET
        if count <= moments:  # the action ended before its moment came
            break
        moments += 1
    assert moments > 2


def _with(monkeypatch: pytest.MonkeyPatch, opening: Callable[..., int], do: Callable[[], object]) -> object:
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opening)
        return do()


def act(root: int, run: Path, action: str, seam: Callable[[Callable[[], object]], object]) -> list[bytes]:
    """Do one thing, folders being swapped meanwhile; the contents that came of it."""
    try:
        if action == "remove":
            seam(Workspace(run).remove)
            return []
        if action == "collect":
            collected = seam(lambda: collection.collect(root, ["a", "out"], {}))
            assert isinstance(collected, collection.Collected)
            return [fetched(root, made) for made in collected.made]
        made = collection.collect(root, ["a", "out"], {}).made
        return [bytes(seam(lambda one=one: fetched(root, one))) for one in made]  # type: ignore[misc, call-overload]
    except (OSError, CollectionError):
        return []


@pytest.mark.parametrize("folder", ["/proj/deep/out", "/proj/deep"])
def test_an_output_folder_that_became_a_link_offers_nothing_of_what_lies_there(
    render: Render, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "outside" / "out").mkdir(parents=True)
    for place in ("outside", "outside/out"):
        (tmp_path / place / "secret").write_bytes(SECRET)
    job = render.run(
        f"cd {folder} && cd .. && mv {Path(folder).name} old && ln -s {tmp_path}/outside {Path(folder).name}",
        output_path="/proj/deep/out",
    )

    assert job["status"] == "failed"
    assert "is a link by now" in job["tasks"][0]["attempts"][0]["reason"]
    assert render.contents(job["jid"]) == {}


def test_a_task_that_nests_folders_without_end_keeps_its_other_outputs_and_is_told(render: Render) -> None:
    script = render.upload("/proj/deep.py", DEEP.encode())
    job = render.run(
        "echo shallow > /proj/out/a; cd /proj/out; /usr/bin/env python3 /proj/deep.py", upload_files=[script]
    )

    assert job["status"] == "success"
    assert [one["outcome"] for one in job["tasks"][0]["attempts"]] == ["success"]
    assert render.contents(job["jid"]) == {"a": b"shallow\n"}
    assert [line for line in render.log(job["jid"]) if "it lies in more than 255 folders" in line]
    assert eventually(lambda: not render.folders())


def test_a_server_starts_again_whatever_a_task_left(tmp_path: Path) -> None:
    runs = runs_folder(tmp_path / "data")
    with executing(tmp_path / "data"):
        pass
    for name, text in {
        "list": b"[1]",
        "nested": b"[" * 90000,
        "number": b'{"pid": 1e999, "job": [1]}',
    }.items():
        Workspace(runs / name).create()
        (runs / name / "run.json").write_bytes(text)
    for name in ("run.json", "log"):
        Workspace(runs / f"pipe-{name}").create()
        os.mkfifo(runs / f"pipe-{name}" / name)
    (runs / "a file").write_text("no folder")
    (runs / "a link").symlink_to(tmp_path)
    with opened(runs) as folder:
        deep = os.dup(folder)
        for name in ["deep", *["d" * 200] * 1100]:
            os.mkdir(name, dir_fd=deep)
            inner = os.open(name, os.O_RDONLY, dir_fd=deep)
            os.close(deep)
            deep = inner
        os.close(deep)

    with executing(tmp_path / "data") as render:
        assert render.run("true")["status"] == "success"
        assert eventually(lambda: not render.folders())
    assert tmp_path.is_dir()


def test_what_is_refused_is_said_a_hundred_times_and_counted_then(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for number in range(250):
        os.mkfifo(tmp_path / "out" / str(number))
    with opened(tmp_path) as root:
        collected = collection.collect(root, ["out"], {})

    assert (len(collected.refused), collected.unsaid) == (100, 150)


def test_a_file_of_the_job_in_folders_without_end_is_put_in_place(render: Render) -> None:
    """1,100 folders, each of which is a call deep where folders are made one inside the other."""
    path = "/proj" + "/d" * 1100 + "/a.txt"
    scene = render.upload(path, b"deep down")
    job = render.run("true", upload_files=[scene])

    assert job["status"] == "success"
    assert eventually(lambda: not render.folders())
