"""Expanding upload paths: wire reference 6."""

from __future__ import annotations

import os
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


def test_variables_are_expanded_and_a_tilde_is_not(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJ", str(tree))
    assert names(tree, "$PROJ/scene.ma", "${PROJ}/im.####.exr") == ["scene.ma", "im.0001.exr", "im.0002.exr"]
    with pytest.raises(InvalidPathError, match="relative"):
        expand_paths(["~/scene.ma"])


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


def test_a_path_list_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
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
