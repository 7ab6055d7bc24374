"""Expanding upload paths: wire reference 6."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.exceptions import InvalidPathError
from conductor.lib.file_utils import expand_paths, read_path_list
from conductor.lib.files.local import look_at


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project."""
    root = tmp_path / "proj"
    for name in ("scene.ma", "tex/a.exr", "tex/deep/b.exr", "tex/.hidden", "im.0001.exr", "im.0002.exr"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "empty").mkdir()
    return root


def names(root: Path, *paths: str | Path) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in expand_paths(paths)]


def test_a_file_stands_for_itself(tree: Path) -> None:
    assert expand_paths([f"{tree}/scene.ma"]) == [f"{tree}/scene.ma"]


def test_a_directory_stands_for_all_files_below_it_hidden_ones_too(tree: Path) -> None:
    assert names(tree, tree / "tex") == ["tex/.hidden", "tex/a.exr", "tex/deep/b.exr"]


@pytest.mark.parametrize("path", ["empty", ""])
def test_an_empty_directory_and_an_empty_path_stand_for_nothing(tree: Path, path: str) -> None:
    assert expand_paths([f"{tree}/{path}" if path else ""]) == []


def test_links_to_files_are_taken_and_links_to_directories_and_to_nothing_are_left_out(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tree / "tex/link.exr").symlink_to(tree / "scene.ma")
    (tree / "tex/loop").symlink_to(tree / "tex")
    (tree / "tex/gone").symlink_to(tree / "nowhere")
    assert names(tree, tree / "tex") == ["tex/.hidden", "tex/a.exr", "tex/deep/b.exr", "tex/link.exr"]
    assert "loop" in caplog.text
    assert "gone" in caplog.text


def test_a_directory_that_is_itself_a_link_is_followed(tree: Path) -> None:
    (tree / "alias").symlink_to(tree / "tex")
    assert names(tree, tree / "alias") == ["alias/.hidden", "alias/a.exr", "alias/deep/b.exr"]


def test_a_file_meant_twice_comes_once_where_it_came_first(tree: Path) -> None:
    assert names(tree, tree / "tex/a.exr", tree / "tex", tree / "tex/a.exr") == [
        "tex/a.exr",
        "tex/.hidden",
        "tex/deep/b.exr",
    ]


@pytest.mark.parametrize(
    "marker",
    [
        *("#", "####", "%04d", "%03d", "_MAPID_", "_mapid_", "<UDIM>", "<udim>", "<UVTILE>", "<TileRef>"),
        *(
            "<Frame>",
            "u<U>_v<V>",
            "u<U>_v<V>_<f>",
            "$U_$V",
            "$2U_v$2V",
            "$F",
            "$F4",
            "<f>",
            "*",
            "**",
            "????",
        ),
        "000[12]",
    ],
)
def test_every_marker_stands_for_a_changing_part_of_a_name(tree: Path, marker: str) -> None:
    assert names(tree, f"{tree}/im.{marker}.exr") == ["im.0001.exr", "im.0002.exr"]


def test_markers_can_be_mixed_and_stand_in_directory_names(tree: Path) -> None:
    for folder in ("v1", "v2"):
        (tree / f"ver_{folder}").mkdir()
        (tree / f"ver_{folder}/x_1001_0001.tif").touch()
    assert names(tree, f"{tree}/ver_<f>/x_<UDIM>_####.tif") == [
        "ver_v1/x_1001_0001.tif",
        "ver_v2/x_1001_0001.tif",
    ]


@pytest.mark.parametrize("pattern", ["im.%d.exr", "im.$FOO.exr", "tex*.exr", "<UDIM>/b.exr", "im.<UDIM>.tif"])
def test_a_pattern_without_a_hit_is_an_error(tree: Path, pattern: str) -> None:
    with pytest.raises(InvalidPathError):
        expand_paths([f"{tree}/{pattern}"])


def test_a_marker_is_not_numeric(tree: Path) -> None:
    (tree / "im.final.exr").touch()
    assert "im.final.exr" in names(tree, f"{tree}/im.####.exr")


def test_an_existing_name_wins_over_its_meaning_as_a_pattern(tree: Path) -> None:
    (tree / "im.####.exr").touch()
    (tree / "$HOME.txt").touch()
    assert names(tree, f"{tree}/im.####.exr", f"{tree}/$HOME.txt") == ["im.####.exr", "$HOME.txt"]


def test_variables_and_the_home_are_expanded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJ", str(tree))
    monkeypatch.setenv("HOME", str(tree))
    assert names(tree, "$PROJ/scene.ma", "${PROJ}/im.####.exr") == ["scene.ma", "im.0001.exr", "im.0002.exr"]
    assert names(tree, "~/scene.ma", "~/im.####.exr") == ["scene.ma", "im.0001.exr", "im.0002.exr"]
    (tree / "~").mkdir()
    (tree / "~/x").touch()
    assert names(tree, f"{tree}/~/x") == ["~/x"]


@pytest.mark.parametrize(
    "path", ["/", "//", "/.", "/..", "/tmp/../", "$EMPTY/", "${EMPTY}/", "$EMPTY", "$EMPTY/*"]
)
def test_an_empty_variable_and_the_root_of_a_disk_are_never_meant(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY", "")
    with pytest.raises(InvalidPathError, match=r"whole disk|is empty"):
        expand_paths([path])


def test_a_link_to_the_root_of_a_disk_is_no_way_around(tmp_path: Path) -> None:
    (tmp_path / "all").symlink_to("/")
    with pytest.raises(InvalidPathError, match="whole disk"):
        expand_paths([tmp_path / "all"])


@pytest.mark.parametrize(
    "folder", ["[wip]", "[ab]", "a[1]", "what?", "all*", "im.####", "$U_$V", "[!x]", "[", "]"]
)
def test_a_folder_that_is_there_is_taken_as_it_is_written(tree: Path, folder: str) -> None:
    for name in (folder, "w", "a", "a1", "b", "what1", "all2", "im.0001"):
        (tree / "s" / name).mkdir(parents=True, exist_ok=True)
        (tree / "s" / name / "t.1001.png").touch()
    assert names(tree, f"{tree}/s/{folder}/t.<UDIM>.png") == [f"s/{folder}/t.1001.png"]
    assert names(tree, f"{tree}/s/{folder}/t.100[1].png") == [f"s/{folder}/t.1001.png"]


def test_brackets_beside_a_marker_are_literal_where_a_file_bears_them(tree: Path) -> None:
    for name in ("shot[1]_0001.exr", "shot1_0001.exr"):
        (tree / name).touch()
    assert names(tree, f"{tree}/shot[1]_####.exr") == ["shot[1]_0001.exr"]
    (tree / "shot[1]_0001.exr").unlink()
    assert names(tree, f"{tree}/shot[1]_####.exr") == ["shot1_0001.exr"]


def test_links_that_lead_nowhere_are_left_out_of_a_folder(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, target in (
        ("circle", "circle"),
        ("round", "about"),
        ("about", "round"),
        ("through", "a.exr/x"),
        ("long", "n" * 256),
        ("gone", "nothing"),
    ):
        (tree / "tex" / name).symlink_to(target)
    assert names(tree, tree / "tex") == ["tex/.hidden", "tex/a.exr", "tex/deep/b.exr"]
    for name in ("circle", "round", "about", "through", "long", "gone"):
        assert f"tex/{name}'" in caplog.text
        with pytest.raises(InvalidPathError, match="broken link"):
            expand_paths([tree / "tex" / name])


@pytest.mark.parametrize(
    "path",
    [
        *("n" * 256, "n" * 5000, "n" * 256 + "/####", "a.exr/x", "a.exr/", "a.exr/#"),
        *("\udcff/#", "\ud800", "x/" * 1500 + "#", "*/" * 1500),
    ],
)
def test_names_that_no_disk_holds_are_an_error(tree: Path, path: str) -> None:
    with pytest.raises(InvalidPathError):
        expand_paths([f"{tree}/tex/{path}"])


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[str]:
    """A file below 1,100 folders; what deletes folders by recursion would not get rid of it."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=here)
        above, here = here, os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(above)
    os.close(os.open("f", os.O_CREAT, dir_fd=here))
    os.close(here)
    folder = f"{tmp_path}{'/d' * 1100}"
    yield f"{folder}/f"
    Path(f"{folder}/f").unlink()
    while folder != str(tmp_path):
        Path(folder).rmdir()
        folder = folder[:-2]


def test_a_file_below_very_many_folders_is_found(tmp_path: Path, deep: str) -> None:
    assert expand_paths([tmp_path]) == [deep]
    assert expand_paths([deep.replace("/d", "/#")]) == [deep]


def test_wrong_paths_are_all_listed_with_the_reason(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "gone").symlink_to(tree / "nowhere")
    (tree / "a:b").touch()
    os.mkfifo(tree / "pipe")
    monkeypatch.chdir(tree)
    wrong = ["scene.ma", "tex", f"{tree}/missing.ma", f"{tree}/gone", f"{tree}/a:b", f"{tree}/pipe", "\0"]
    with pytest.raises(InvalidPathError) as caught:
        expand_paths([*wrong, f"{tree}/scene.ma"])
    lines = str(caught.value).splitlines()
    assert lines[0] == "7 paths cannot be uploaded:"
    reasons = ("relative", "relative", "not exist", "broken link", "colon", "neither a file nor", "NUL")
    for path, reason, line in zip(wrong, reasons, lines[1:]):
        assert repr(path) in line
        assert reason in line


def test_a_colon_below_a_directory_is_kept_with_a_warning(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tree / "tex/a:b").touch()
    assert "tex/a:b" in names(tree, tree / "tex")
    assert "colon" in caplog.text


def test_a_name_that_is_no_utf_8_is_an_error(tree: Path) -> None:
    (tree / "tex" / os.fsdecode(b"\xff.exr")).touch()
    with pytest.raises(InvalidPathError, match="UTF-8"):
        expand_paths([tree / "tex"])


def test_a_directory_that_cannot_be_read_is_an_error(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("deep"):
            raise PermissionError(13, "Permission denied")  # what chmod cannot make root see
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InvalidPathError, match="deep' cannot be read: Permission denied"):
        expand_paths([tree / "tex"])


def test_a_path_list_has_one_path_on_each_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("/a/b\n\n  /c d/e  \r\n")
    assert read_path_list(str(tmp_path / "list.txt")) == ["/a/b", "/c d/e"]


@pytest.mark.parametrize(
    "name", ["ends ", " ", "\u2028", "a\u2028b", "a\x85b", "a\x0bb", "a\x0cb", "a\x1cb", "tab\t"]
)
def test_a_path_list_can_hold_any_name_without_a_line_end(tmp_path: Path, name: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / name).touch()
    (tmp_path / "list.txt").write_bytes(f"{tmp_path}/d/{name}\r\n{tmp_path}/d/{name}\n".encode())
    listed = read_path_list(str(tmp_path / "list.txt"))
    assert listed[1] == f"{tmp_path}/d/{name}"
    (tmp_path / "list.txt").write_bytes(f"\n{tmp_path}/d/{name}".encode())
    assert expand_paths(read_path_list(str(tmp_path / "list.txt"))) == [f"{tmp_path}/d/{name}"]


def test_a_path_list_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfea")
    for name in ("missing", "binary"):
        with pytest.raises(InvalidPathError, match=name):
            read_path_list(str(tmp_path / name))


def test_looking_at_what_has_gone_lists_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidPathError, match="gone"):
        look_at([str(tmp_path / "gone")])


file_names = st.text(st.characters(exclude_characters="/:\0", codec="utf-8"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)


@given(st.sets(file_names, min_size=1, max_size=6))
def test_every_file_of_a_directory_is_found_once_and_is_found_again_by_its_own_name(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    root = tmp_path_factory.mktemp("any")
    for name in names:
        (root / name).touch()
    files = expand_paths([root])
    assert {Path(path).name for path in files} == names
    assert files == sorted(files, key=lambda path: Path(path).name)
    assert expand_paths(files) == files


@given(
    st.lists(st.sampled_from([*"[a*?1.é ", "[a]", "####", "%04d", "$F4", "<UDIM>"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "1", "[a]", "####", ".", "*", "0001", "$F4"]), min_size=1, max_size=4),
)
def test_a_name_that_is_there_is_found_beside_any_other(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[str], other: list[str]
) -> None:
    name = "x" + "".join(wanted)
    root = tmp_path_factory.mktemp("any")
    for here in {name, "x" + "".join(other)}:
        (root / here).mkdir()
        (root / here / "t.0001.png").touch()
    found = expand_paths([f"{root}/{name}/t.####.png"])
    assert found == [f"{root}/{name}/t.0001.png"]
