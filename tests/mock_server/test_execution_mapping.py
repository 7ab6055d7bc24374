"""Mentions of a job's paths in texts: which are found, which are left alone, and what they become."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conductor_mock.execution.mapping import tree_of
from conductor_mock.execution.paths import parse

FOLDER = "/data/run"
FILES = f"{FOLDER}/files"
UPLOADED = [
    "/proj/scenes/a.ma",
    "/proj/textures/wood_0001.png",
    "/proj/my scenes/b c.ma",
    "/usr/local/tools/bin/vray",
]
TREE = tree_of(UPLOADED, "/proj/render")


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("render /proj/scenes/a.ma", f"render {FILES}/proj/scenes/a.ma"),
        ('render "/proj/scenes/a.ma"', f'render "{FILES}/proj/scenes/a.ma"'),
        ("render '/proj/my scenes/b c.ma'", f"render '{FILES}/proj/my scenes/b c.ma'"),
        (r"render /proj/my\ scenes/b\ c.ma", rf"render {FILES}/proj/my\ scenes/b\ c.ma"),
        ("-sceneFile=/proj/scenes/a.ma", f"-sceneFile={FILES}/proj/scenes/a.ma"),
        ("-I/proj/textures -x", f"-I{FILES}/proj/textures -x"),
        ("/proj/scenes:/usr/bin:/proj/textures", f"{FILES}/proj/scenes:/usr/bin:{FILES}/proj/textures"),
        ("/proj/scenes/a.ma,/proj/scenes/a.ma", f"{FILES}/proj/scenes/a.ma,{FILES}/proj/scenes/a.ma"),
        ("cd /proj; ls", f"cd {FILES}/proj; ls"),
        ("ls /proj/", f"ls {FILES}/proj/"),
        (">/proj/render/log.txt", f">{FILES}/proj/render/log.txt"),
        ("file:///proj/scenes/a.ma", f"file://{FILES}/proj/scenes/a.ma"),
        ("@/proj/scenes/args.txt", f"@{FILES}/proj/scenes/args.txt"),
        ("/proj//scenes/./a.ma", f"{FILES}/proj//scenes/./a.ma"),
        ("/proj/textures/../scenes/a.ma", f"{FILES}/proj/textures/../scenes/a.ma"),
    ],
)
def test_a_path_of_the_job_is_found_wherever_it_stands(text: str, mapped: str) -> None:
    assert TREE.map(text, FOLDER) == mapped


@pytest.mark.parametrize(
    "path",
    [
        "/proj/render",
        "/proj/render/shot_",
        "/proj/render/new/deep/beauty.####.exr",
        "/proj/textures/wood_%04d.png",
        "/proj/textures/wood_",
        "/proj/textures/<UDIM>.tex",
        "/proj/*/a.ma",
        "/proj/$SHOT/a.ma",
        "/proj/sce",
    ],
)
def test_prefixes_patterns_and_new_names_in_the_jobs_folders_are_mapped(path: str) -> None:
    assert TREE.map(f'tool --out "{path}"', FOLDER) == f'tool --out "{FILES}{path}"'


@pytest.mark.parametrize(
    "text",
    [
        "/usr/bin/python3 -V",
        "/usr/local/bin/thing",
        "/project/scenes/a.ma",
        "/proj/cache/sim.abc",
        "proj/scenes/a.ma ./proj/scenes/a.ma ../proj/scenes/a.ma",
        "http://proj/scenes/a.ma https://example.com/proj/scenes/a.ma",
        "$ROOT/proj/scenes/a.ma ${ROOT}/proj/scenes/a.ma ~/proj/scenes/a.ma",
        "/proj/../etc/passwd",
        "echo / and 1/2 and a//b",
        "C:/proj/scenes/a.ma",
        "",
    ],
)
def test_what_is_not_the_jobs_is_left_alone(text: str) -> None:
    assert TREE.map(text, FOLDER) == text


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        (r"render C:\proj\a.ma -x", f"render {FOLDER}/drives/C/proj/a.ma -x"),
        (r'render "c:\my proj\new dir\a.ma" -x', f'render "{FOLDER}/drives/C/my proj/new dir/a.ma" -x'),
        ("C:/proj/a.ma;D:/other", f"{FOLDER}/drives/C/proj/a.ma;D:/other"),
        ("-o:C:/out", f"-o:{FOLDER}/drives/C/out"),
        ("abC:/proj", "abC:/proj"),
    ],
)
def test_everything_on_a_drive_of_the_job_is_mapped(text: str, mapped: str) -> None:
    assert tree_of(["C:/proj/a.ma"], "c:/proj/out").map(text, FOLDER) == mapped


def test_a_file_in_the_root_does_not_make_every_path_the_jobs() -> None:
    tree = tree_of(["/a.ma"], "/")

    assert tree.map("/usr/bin/python /a.ma /", FOLDER) == f"/usr/bin/python {FILES}/a.ma /"


@pytest.mark.parametrize(
    ("text", "drive", "names"),
    [
        ("/proj/../../etc/./passwd", "", ("etc", "passwd")),
        ("//server//share", "", ("server", "share")),
        ("c:\\a\\..\\..\\b", "C", ("b",)),
        ("/a\\b", "", ("a\\b",)),
    ],
)
def test_a_wire_path_never_leaves_its_root(text: str, drive: str, names: tuple[str, ...]) -> None:
    path = parse(text)

    assert path is not None
    assert (path.drive, path.names) == (drive, names)


names = st.text(
    st.characters(exclude_characters="/\0\n", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda name: name not in (".", ".."))
wire_paths = st.lists(names, min_size=2, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(wire_paths, min_size=1, max_size=6), wire_paths, st.data())
def test_every_uploaded_path_is_mapped_however_a_shell_is_told_of_it(
    files: list[str], output: str, data: st.DataObject
) -> None:
    tree = tree_of(files, output)
    path = data.draw(st.sampled_from([*files, output]))
    assume("'" not in path)  # which a shell cannot have inside its quotes: it is written in three pieces
    quoted = data.draw(st.sampled_from([shlex.quote(path), f"'{path}'"]))

    mapped = tree.map(f"render -x --scene={quoted} {quoted}", FOLDER)

    assert shlex.split(mapped) == ["render", "-x", f"--scene={FILES}{path}", FILES + path]


@given(st.lists(wire_paths, min_size=1, max_size=6), st.text(max_size=60))
def test_mapping_only_ever_inserts_the_folder(files: list[str], text: str) -> None:
    tree = tree_of(files, "/proj/render")

    assert tree.map(text, FOLDER).replace(FILES, "") == text.replace(FILES, "")


@given(wire_paths, st.text(st.characters(codec="ascii"), max_size=200))
def test_any_text_is_mapped_without_an_error(path: str, text: str) -> None:
    tree_of([path, "C:/x"], "/out").map(text + path + text, FOLDER)
