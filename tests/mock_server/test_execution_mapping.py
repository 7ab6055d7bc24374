"""Mentions of a job's paths in texts: which are found, which are left alone, and what they become."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.execution.leaks import LeakError, guard
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
GUARD = guard(TREE)
QUOTES = ("'", '"')


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
        ("/proj/textures/../scenes/a.ma", f"{FILES}/proj/scenes/a.ma"),
        ("/proj/nothing/here/../../scenes/a.ma", f"{FILES}/proj/scenes/a.ma"),
        ("/usr/../../proj/./scenes/a.ma", f"{FILES}/proj/./scenes/a.ma"),
        ('"/usr"/.."/proj/x/../scenes"/a.ma', f'"{FILES}""/proj/scenes"/a.ma'),
        ("/proj/render/deep/../../scenes/a.ma", f"{FILES}/proj/scenes/a.ma"),
        ('/proj/"scenes"/a.ma', f'{FILES}/proj/"scenes"/a.ma'),
        ("/pr'oj/sc'enes/a.ma", f"{FILES}/pr'oj/sc'enes/a.ma"),
        (r"\/proj\/sc\enes/a.ma", rf"{FILES}\/proj\/sc\enes/a.ma"),
        ("/proj/sce\\\nnes/a.ma", f"{FILES}/proj/sce\\\nnes/a.ma"),
        ("file:///proj/sc%65nes/%61.ma", f"file://{FILES}/proj/sc%65nes/%61.ma"),
        ("FILE://localhost/proj%2Fscenes/x%2F%2e%2e/a.ma", f"FILE://localhost{FILES}/proj%2Fscenes/a.ma"),
        ("file:/proj/my%20scenes/b%20c.ma", f"file:{FILES}/proj/my%20scenes/b%20c.ma"),
        ("/usr/bin://proj/scenes", f"/usr/bin:{FILES}//proj/scenes"),
        ("a:/proj/scenes", f"a:{FILES}/proj/scenes"),
        ("a -isystem/proj/textures", f"a -isystem{FILES}/proj/textures"),
        ("""python -c "open('/proj/scenes/a.ma')" """, f"""python -c "open('{FILES}/proj/scenes/a.ma')" """),
        ('x="$(cat "/proj/scenes/a.ma")"', f'x="$(cat "{FILES}/proj/scenes/a.ma")"'),
        ("cat ${SCENE:-/proj/scenes/a.ma}", f"cat ${{SCENE:-{FILES}/proj/scenes/a.ma}}"),
        ('cat "${SCENE-/proj/scenes/a.ma}"', f'cat "${{SCENE-{FILES}/proj/scenes/a.ma}}"'),
        ('${A:+"/proj/render"}', f'${{A:+"{FILES}/proj/render"}}'),
        ("${A:=/proj/render}/x", f"${{A:={FILES}/proj/render}}/x"),
        ("${A:?/proj/render}", f"${{A:?{FILES}/proj/render}}"),
        ("${A:-${B:-/proj/render}}", f"${{A:-${{B:-{FILES}/proj/render}}}}"),
        ("${OUT#/proj/render/} ${OUT##/proj}", f"${{OUT#{FILES}/proj/render/}} ${{OUT##{FILES}/proj}}"),
        ("${A%%/proj/render}", f"${{A%%{FILES}/proj/render}}"),
        ("mkdir {/proj/scenes,/proj/render}", f"mkdir {{{FILES}/proj/scenes,{FILES}/proj/render}}"),
        ("cat $'/proj/scenes/a.ma'", f"cat $'{FILES}/proj/scenes/a.ma'"),
        ('cat $"/proj/render"/x', f'cat $"{FILES}/proj/render"/x'),
        ("# don't\ncat '/proj/scenes/a.ma'", f"# don't\ncat '{FILES}/proj/scenes/a.ma'"),
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
        "/proj/scenes/../../etc/passwd",
        'x "$ROOT"/proj/scenes/a.ma',
        "~nobody-here/proj/scenes/a.ma",
        "file://server/proj/scenes/a.ma",
        "echo / and 1/2 and a//b",
        "$A/proj/render ${A}/proj/render ${A:-b}/proj/render ${A//proj/x}",
        "C:/other/scenes/a.ma",
        "",
    ],
)
def test_what_is_not_the_jobs_is_left_alone(text: str) -> None:
    assert TREE.map(text, FOLDER) == text
    GUARD.check(text, FOLDER, is_command=True)


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("cat ~me/scenes/a.ma", f"cat {FILES}/proj/scenes/a.ma"),
        ("cat ~me/../proj/./scenes/a.ma", f"cat {FILES}/proj/./scenes/a.ma"),
        ("cat ~me/x/../../proj/scenes/a.ma", f"cat {FILES}/proj/scenes/a.ma"),
        ("cat ~me/../etc/passwd a~me/scenes/a.ma", "cat ~me/../etc/passwd a~me/scenes/a.ma"),
        ("cat ~you/scenes/a.ma ~/scenes/a.ma", "cat ~you/scenes/a.ma ~/scenes/a.ma"),
    ],
)
def test_the_home_of_a_user_is_read_as_a_shell_reads_it(text: str, mapped: str) -> None:
    assert TREE.map(text, FOLDER, homes={"me": "/proj"}.get) == mapped


@pytest.mark.parametrize(
    "text",
    [
        "cat /*/scenes/a.ma",
        "cat /pr?j/textures/w.png",
        "cat /{proj,other}/scenes/a.ma",
        "cat /$PROJECT/scenes/a.ma",
        'cat "/opt/my tools/../../proj/textures/w.png"',
        "cat /opt/'my tools'/../../proj/textures/w.png",
        "bash -c 'cat /pr\"oj\"/textures/w.png'",
        'bash -c "cat /pr\\\\oj/textures/w.png"',
        "cat C:/x:/proj/scenes/a.ma",
        f"cat {FOLDER}/files/../../../proj/a",
        "cat /net/proj/scenes/a.ma",
        r"printf '/proj/scenes\n'",
        r"list /proj/scenes\..",
    ],
)
def test_what_leads_to_the_job_and_cannot_be_mapped_is_refused_by_its_name(text: str) -> None:
    tree = tree_of([*UPLOADED, "C:/y/z"], "/proj/render")
    through_links = replace(
        guard(tree), real_roots=("/proj/scenes",), real=lambda path: path.removeprefix("/net")
    )
    with pytest.raises(LeakError, match="leads to '/") as refused:
        through_links.check(tree.map(text, FOLDER), FOLDER, is_command=True)
    assert "proj" in str(refused.value)


PIECES = """
/ / // /./ /../ .. proj scenes a.ma textures render usr local tools x new_ " ' = : ; -I file:// http:// $X $(
) %2e * ~/ ~root | > C: , %2F /proj/scenes /proj/render/ /usr/../proj/textures/
"""
pieces = st.sampled_from([*PIECES.split(), "my scenes", "\\", " ", "\n"])


@given(st.lists(pieces, max_size=14).map("".join), st.booleans())
def test_no_path_below_a_folder_of_the_job_is_left_in_any_text(text: str, is_command: bool) -> None:
    """Whatever is not refused; the paths are looked for here without any of the code that maps them."""
    mapped = TREE.map(text, FOLDER, is_command=is_command)
    try:
        GUARD.check(mapped, FOLDER, is_command=is_command)
    except LeakError:
        return
    if is_command:  # the shell takes quotes away, in whatever piece of a word
        mapped = mapped.replace('"', "").replace("'", "")
    mapped = mapped.replace("\\/", "/")  # a slash that is escaped is one
    for start in re.finditer(r"(?<![^\s\"'`;|&<>(,=])/", mapped):
        path = re.split(r"[\s\"'`;|&<>(),:=\\]", mapped[start.start() :])[0]
        plain = posixpath.normpath(path).replace("//", "/")
        for root in (
            "/proj/scenes",
            "/proj/textures",
            "/proj/my scenes",
            "/usr/local/tools/bin",
            "/proj/render",
        ):
            assert plain != root
            assert not plain.startswith(root + "/")


@given(
    st.lists(st.sampled_from(["x", "..", ".", "", "scenes", "textures", "$A"]), max_size=6),
    st.sampled_from(["", '"', "'", "bash -c '", "a=", "a:", "-f", "file://", "("]),
)
def test_every_way_around_to_a_file_is_mapped_to_its_one_place(way: list[str], before: str) -> None:
    """A path that ends at an uploaded file, whatever it goes up and down on its way there."""
    depth = posixpath.normpath("/" + "/".join(["proj", *way])).count("/")
    around = "/" + "/".join(["proj", *way, *[".."] * (depth + 1), "proj", "scenes", "a.ma"])

    mapped = TREE.map(f"{before}{around}{before[-1:] if before[-1:] in QUOTES else ''}", FOLDER)

    found = mapped[mapped.index(FOLDER) :].rstrip("\"'")
    assert posixpath.normpath(found) == f"{FILES}/proj/scenes/a.ma"


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


def test_a_folder_may_be_called_a_backslash() -> None:
    assert tree_of(["/\\/00"], "/0/0").map("cat '/\\/00' /x\\/00", FOLDER) == f"cat '{FILES}/\\/00' /x\\/00"


@given(st.lists(wire_paths, min_size=1, max_size=6), wire_paths, st.data())
def test_every_uploaded_path_is_mapped_however_a_shell_is_told_of_it(
    files: list[str], output: str, data: st.DataObject
) -> None:
    tree = tree_of(files, output)
    path = data.draw(st.sampled_from([*files, output]))
    quoted = (
        shlex.quote(path) if "'" in path else data.draw(st.sampled_from([shlex.quote(path), f"'{path}'"]))
    )

    mapped = tree.map(f"render -x --scene={quoted} {quoted}", FOLDER)

    assert shlex.split(mapped) == ["render", "-x", f"--scene={FILES}{path}", FILES + path]


@given(st.lists(wire_paths, min_size=1, max_size=6), st.text(max_size=60))
def test_mapping_only_ever_inserts_the_folder(files: list[str], text: str) -> None:
    tree = tree_of(files, "/proj/render")

    assert tree.map(text, FOLDER).replace(FILES, "") == text.replace(FILES, "")


@given(wire_paths, st.text(st.characters(codec="ascii"), max_size=200))
def test_any_text_is_mapped_without_an_error(path: str, text: str) -> None:
    tree_of([path, "C:/x"], "/out").map(text + path + text, FOLDER)
