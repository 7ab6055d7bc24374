"""What simulated outputs are called: as the command of each renderer says, with the frame, below the output path."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_mock.outputs.commands import read
from conductor_mock.outputs.conventions import CONVENTIONS, Convention
from conductor_mock.outputs.names import MAX_PICTURES, OutputName, output_names

OUT = "/proj/out"
BLENDER = (
    'blender -b -noaudio "/proj/shot.blend" -P "/tools/brender.py" -E "CYCLES" --render-output "/proj/out/shot_" '
    '-- render_device=CPU --start=1 --end=2 --resolution_x=160 --camera="Cam"'
)


def names(command: str, frames: str = "", output_path: str = OUT, task: int = 3) -> list[str]:
    found = output_names(command, frames, task=task, output_path=output_path, title="A job / 1")
    return [name.path for name in found]


@pytest.mark.parametrize(
    ("command", "frames", "expected"),
    [
        # V-Ray: the documents' quick start; a frame goes between stem and ending.
        ("vray -display=0 -sceneFile=/p/b_0008.vrscene -imgFile=/proj/out/output.exr", "8", ["output.0008"]),
        ("vray -imgFile=/proj/out/beauty/im.exr -frames=1-2", "", ["beauty/im.0001", "beauty/im.0002"]),
        ("vray -imgFile=/proj/out/im.exr -frames=1;5", "", ["im.0001", "im.0005"]),
        # Maya, with any renderer: folder and name, frames from -s to -e by -b.
        ("Render -r arnold -rd /proj/out/masterLayer -im shot -of exr -s 1 -e 5 -b 2 /p/a.ma", "",
         ["masterLayer/shot.0001", "masterLayer/shot.0003", "masterLayer/shot.0005"]),
        ("Render -r vray -rd /proj/out /p/a.mb", "4", ["A_job_1.0004"]),
        ("Render -rd '/proj/out/<RenderLayer>' -im <Scene>_v2 /p/a.mb", "4", ["RenderLayer/Scene_v2.0004"]),
        # Arnold and RenderMan.
        ("kick -dw -i /p/a.0057.ass -o /proj/out/beauty.####.exr", "57", ["beauty.0057"]),
        ("kick -i /p/a.ass -o /proj/out/beauty.0057.exr -of exr", "57", ["beauty.0057"]),
        ("kick -i /p/a.ass -o /proj/out/take_2.exr", "2", ["take_2.0002"]),
        ("prman -o /proj/out/a.%03d.tif /p/a.rib -f 7", "", ["a.007"]),
        # Nuke: its script knows the output, the command knows the frames.
        ("/opt/Nuke13.2v1/Nuke13.2 -F 1-9x4 -x /p/comp.nk", "", ["A_job_1.0001", "A_job_1.0005", "A_job_1.0009"]),
        ("nuke -F 1-9x4 -x /p/comp.nk", "12", ["A_job_1.0012"]),
        # Houdini.
        ("husk -o '/proj/out/a.$F4.exr' -f 10 /p/a.usd", "", ["a.0010"]),
        ("hython /tools/render.py -f 1 5 2 -o /proj/out/a.${F3}.exr /p/a.hip", "", ["a.001", "a.003", "a.005"]),
        ("mantra /p/a.ifd /proj/out/a.exr", "2", ["a.0002"]),
        # Blender: a beginning that numbers are added to as they are.
        (BLENDER, "1-2", ["shot_0001", "shot_0002"]),
        (BLENDER, "", ["shot_0001", "shot_0002"]),
        ("blender -b /p/a.blend -o /proj/out/a_##_x -F PNG -x 1 -f 3..4", "", ["a_03_x", "a_04_x"]),
        ("blender -b /p/a.blend -o //render/ -s 1 -e 1 -a", "", ["0001"]),
        ("blender -b /p/a.blend -o /proj/out/take2 -f 7", "", ["take2.0007"]),
        # Katana, Clarisse, Cinema 4D, Redshift, 3ds Max, After Effects.
        ("katana --batch --katana-file=/p/a.katana -t 5-6", "", ["A_job_1.0005", "A_job_1.0006"]),
        ("cnode /p/a.project -image project://a -image_frames_list 4 -output /proj/out/b", "", ["b.0004"]),
        ("Commandline -render /p/a.c4d -frame 1 3 2 -oimage /proj/out/c4 -oformat EXR", "", ["c4.0001", "c4.0003"]),
        ("redshiftCmdLine /p/a.0003.rs -oip /proj/out/rs", "3", ["rs/A_job_1.0003"]),
        ('3dsmaxcmd -outputName:"C:/proj/out/m.exr" -frames:1-2 C:/p/a.max', "", ["m.0001", "m.0002"]),
        ("aerender -project a.aep -output /proj/out/ae_[####].png -s 1 -e 2", "", ["ae_[0001]", "ae_[0002]"]),
        # Anything else.
        ("python /tools/raytracer.py --frame 7 --out /proj/out/beauty.<frame>.png", "", ["beauty.0007"]),
        ("render --frame 9", "", ["A_job_1.0009"]),
        ("oiiotool in.exr --resize 50% -o /proj/out/small.exr", "1", ["small.0001"]),
        ('bash -c "cd /p && kick -i a.ass -o /proj/out/b.exr"', "1", ["b.0001"]),
        ("FOO=1 nice -n 5 vray -imgFile=/proj/out/b.exr", "1", ["b.0001"]),
        ("echo hello", "", ["A_job_1.task003"]),
        ("kick -o /proj/out/b.####.exr", "", ["b.task003"]),
    ],
)  # fmt: skip
def test_outputs_are_called_as_the_command_says(command: str, frames: str, expected: list[str]) -> None:
    assert names(command, frames) == [f"{name}.simulated.png" for name in expected]


@pytest.mark.parametrize(
    "path", ["/elsewhere/a.exr", "../../etc/a.exr", "/proj/out/../a.exr", "//a.exr", r"D:\x\a.exr", "/proj/outer/a.exr"]
)  # fmt: skip
def test_a_path_elsewhere_is_put_below_the_output_path_by_its_last_part(path: str) -> None:
    assert names(f"kick -o '{path}'", "1") == ["a.0001.simulated.png"]


@pytest.mark.parametrize("output_path", ["C:/proj/out", "C:\\proj\\out\\", "/proj/./x/../out"])
def test_paths_are_compared_as_every_system_writes_them(output_path: str) -> None:
    assert names(r"vray -imgFile=C:\proj\out\beauty\a.exr", "1", output_path) == [
        "beauty/a.0001.simulated.png"
    ]


@pytest.mark.parametrize(
    "command",
    [
        r"vray -imgFile=\\nas\proj\out\beauty\a.exr",
        r'vray -imgFile="\\nas\proj\out\beauty\a.exr"',
        r"kick -o \\nas\proj\out\beauty\a.exr",
        r"kick -o //nas/proj/out/beauty/a.exr",
        r"Render -rd \\nas\proj\out\beauty -im a scene.ma",
        r"Render -rd \\nas\proj\out\beauty\ -im a \\nas\proj\scene.ma",
    ],
)
def test_a_share_is_a_path_with_quotes_and_without(command: str) -> None:
    for output_path in (r"\\nas\proj\out", "//nas/proj/out"):
        assert names(command, "1", output_path) == ["beauty/a.0001.simulated.png"]


def test_quotes_that_are_never_closed_are_read_as_far_as_that_goes() -> None:
    assert names("kick -o '/proj/out/a.exr -i \"b", "1") == ["a.0001.simulated.png"]


def test_a_name_that_does_not_end_in_its_frame_gets_it() -> None:
    assert names("kick -o /proj/out/a_####_v2.exr", "5") == ["a_0005_v2.0005.simulated.png"]


def test_a_frame_is_not_mistaken_for_the_task_that_names_none() -> None:
    assert names("kick -o /proj/out/a.task###.exr", "3") == ["a.task003.0003.simulated.png"]
    assert names("kick -o /proj/out/a.exr", task=3) == ["a.task003.simulated.png"]


def test_frames_below_zero_have_names_of_their_own() -> None:
    assert names("kick -o /proj/out/a####.exr", "-5,5") == ["a-005.-005.simulated.png", "a0005.simulated.png"]


def test_a_task_of_many_frames_gets_pictures_of_the_first_ones() -> None:
    found = names("kick -o /proj/out/a.exr", "1-100000")
    assert len(found) == MAX_PICTURES
    assert found[-1] == "a.1000.simulated.png"


def test_an_option_given_twice_counts_as_it_was_given_last() -> None:
    assert names("kick -o /proj/out/a.exr -o /proj/out/b.exr", "1") == ["b.0001.simulated.png"]


def test_a_long_command_is_read_at_its_beginning_only() -> None:
    assert names("kick -o /proj/out/a.exr " + "'x " * 400_000, "1") == ["a.0001.simulated.png"]


@pytest.mark.parametrize("row", CONVENTIONS, ids=lambda row: row.renderer)
def test_every_option_of_a_row_is_read(row: Convention) -> None:
    program = row.programs[0] if row.programs else "unheard-of"
    for option in (*row.file, *row.prefix, *row.name):
        for form in (f"{option}=pic", f"{option} pic"):
            target = read(f"'{program}' {form}", OUT).target
            assert target is not None
            assert target.path == "pic"
            assert target.prefix == (option in row.prefix)
    for option in row.folder:
        target = read(f"'{program}' {option} /some/where", OUT).target
        assert target is not None
        assert target.path == "/some/where/"
    for option in (*row.frames, *row.span):
        assert list(read(f"'{program}' {option} 7", OUT).frames or ()) == [7]
    for first in row.first:
        for last in row.last:
            for step in row.step:
                said = read(f"'{program}' {first} 1 {last} 5 {step} 4", OUT)
                assert list(said.frames or ()) == [1, 5]


# For any text


OPTIONS = sorted(
    {
        option
        for row in CONVENTIONS
        for option in (*row.file, *row.prefix, *row.folder, *row.name, *row.frames)
    }
)
PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from([*OPTIONS, *(program for row in CONVENTIONS for program in row.programs)]),
    st.sampled_from(["/proj/out/", "..", "/", "\\", "C:\\", "####", "%04d", "$F4", "<frame>", ".exr", "'", '"', "=",
                     "1-3", "-5", "-", "0005", ".task###", "con", "\0", "\n", "\ud800", "a" * 300]),
)  # fmt: skip
COMMANDS = st.lists(st.tuples(PIECES, st.sampled_from(["", " "])), max_size=12).map(
    lambda parts: "".join(piece + space for piece, space in parts)
)
FRAMES = st.integers(-20, 20)


@given(COMMANDS, st.text(max_size=8), st.text(max_size=20), st.one_of(st.just(OUT), st.text(max_size=12)))
@example("kick -o ''", "", "", "")
@example("kick -o '/proj/out/#'", "", "..", OUT)
def test_any_text_gives_relative_paths_that_every_system_takes(
    command: str, frames: str, title: str, output_path: str
) -> None:
    found = output_names(command, frames, task=0, output_path=output_path, title=title)
    assert found
    assert len({name.path for name in found}) == len(found)
    for name in found:
        assert _is_safe(name)


def _is_safe(name: OutputName) -> bool:
    path = PurePosixPath(name.path)
    parts = name.path.split("/")
    return (
        not path.is_absolute()
        and not PureWindowsPath(name.path).drive
        and ".." not in parts
        and all(part and part == part.strip(" .") and len(part.encode()) < 200 for part in parts)
        and not re.search(r'[\\:*?"<>|\0-\x1f]', name.path)
        and name.path.endswith(".simulated.png")
    )


@given(st.dictionaries(FRAMES, COMMANDS, min_size=2, max_size=6))
@example({1: "kick -o a_#_2.exr", 2: "kick -o a_1_#.exr"})
@example({5: "kick -o a-####.exr", -5: "kick -o a####.exr"})
@example({5: "kick -o x.-####.exr", -5: "kick -o x.####.exr"})
def test_pictures_of_different_frames_never_have_one_name(commands: dict[int, str]) -> None:
    """Whatever the commands of the tasks of one job are."""
    found = [
        name.path
        for task, (frame, command) in enumerate(commands.items())
        for name in output_names(command, str(frame), task=task, output_path=OUT, title="t")
    ]
    assert len(set(found)) == len(found) == len(commands)


@given(st.lists(COMMANDS, min_size=2, max_size=5), st.integers(0, 20))
@example(["kick -o x.task##.exr", "kick -o x"], 0)
def test_tasks_that_name_no_frame_have_names_of_their_own(commands: list[str], first: int) -> None:
    paths: dict[str, int | None] = {}
    for task, command in enumerate(commands, first):
        for name in output_names(command, "", task=task, output_path=OUT, title="t"):
            assert paths.setdefault(name.path, name.frame) == name.frame
    frameless = [path for path, frame in paths.items() if frame is None]
    assert len(frameless) == sum(read(command, OUT).frames is None for command in commands)
