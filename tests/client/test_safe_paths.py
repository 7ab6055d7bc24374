"""Where a path that the service names may lead: below its folder on every system, or nowhere."""

from __future__ import annotations

import ntpath
import posixpath
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor.lib.download.safe_paths import Claims, UnsafePathError, check_way, output_folder, safe_parts

ROOTS = {False: PurePosixPath("/proj/out"), True: PureWindowsPath("P:\\proj\\out")}

pieces = st.sampled_from(
    [
        *("..", ".", "", "a", "B", "con", "NUL.txt", "aux ", "x.", " ", "C:", "c:d", "\\", "\\\\", "//", "?"),
        *(
            "~",
            "$HOME",
            "%TEMP%",
            "\0",
            "\n",
            "ü",
            "\ud800",
            "COM\u00b9",
            "file:stream",
            "...",
            "a\\..",
            "..\\",
        ),
    ]
)
hostile = st.one_of(
    st.lists(pieces, max_size=6).flatmap(
        lambda parts: st.sampled_from(["/", "\\", ""]).map(lambda separator: separator.join(parts))
    ),
    st.text(max_size=20),
)


@example("a/../../b", False, False)
@example("a\\..\\..\\b", True, True)
@example("C:..\\b", True, True)
@given(hostile, st.booleans(), st.booleans())
def test_what_is_accepted_stays_below_the_folder(text: str, windows: bool, portable: bool) -> None:
    try:
        parts = safe_parts(text, windows=windows, portable=portable)
    except UnsafePathError:
        return
    root = ROOTS[windows]
    path = root.joinpath(*parts)
    assert path.parts == (*root.parts, *parts)
    module = ntpath if windows else posixpath
    assert module.normpath(str(path)).startswith(str(root) + module.sep)
    assert module.splitdrive(str(path))[0] == module.splitdrive(str(root))[0]
    assert "\0" not in str(path)


@given(hostile)
def test_what_is_portable_means_the_same_on_both_systems(text: str) -> None:
    try:
        parts = safe_parts(text, windows=False)
    except UnsafePathError:
        return
    assert safe_parts(text, windows=True) == parts
    assert PureWindowsPath(*parts).parts == PurePosixPath(*parts).parts == parts


@given(hostile, st.booleans())
def test_being_refused_does_not_depend_on_the_folders_around(text: str, windows: bool) -> None:
    def accepted(path: str) -> bool:
        try:
            safe_parts(path, windows=windows)
        except UnsafePathError:
            return False
        return True

    if accepted(text):
        assert accepted(f"folder/{text}")
    elif accepted(f"folder/{text}"):
        assert text == "" or text[0] in "/\\" or text[1:2] == ":"


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            ".",
            "..",
            "/",
            "\\",
            "/a",
            "\\a",
            "//host/share/a",
            "\\\\host\\share\\a",
            "\\\\?\\C:\\a",
            "C:",
            "C:a",
        ),
        *("c:/a", "../a", "a/..", "a/../b", "a\\..\\b", "a/", "a/.", "a\0b", "\ud800"),
        *(
            "con",
            "CON",
            "con.txt",
            "nul.0001.exr",
            "nul .exr",
            "a/prn",
            "com1",
            "LPT9.png",
            "COM\u00b2",
            "CONIN$",
        ),
        *("a.", "a ", "a./b", "a /b", "...", "a:b", "a*", "a?", 'a"', "a<", "a|", "a\nb"),
    ],
)
def test_hostile_and_unportable_paths_are_refused(path: str, windows: bool) -> None:
    with pytest.raises(UnsafePathError):
        safe_parts(path, windows=windows)


@pytest.mark.parametrize(
    "path",
    ["a.png", "beauty/a.0001.exr", "conrad", "nullify.txt", "com10", ".hidden", "ü/ö", "a b", "..a", "a~1"],
)
@pytest.mark.parametrize("windows", [False, True])
def test_ordinary_paths_are_taken_as_they_are(path: str, windows: bool) -> None:
    assert safe_parts(path, windows=windows) == tuple(path.split("/"))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "it is empty"),
        ("a\0b", "it holds NUL"),
        ("\ud800", "it is not text"),
        ("/a", "it is absolute"),
        ("C:a", "it begins with a drive"),
        ("c:/a", "it begins with a drive"),
        ("a/../b", "it leads out of the folder (..)"),
        ("a/", "it names no file"),
        ("a/.", "it names no file"),
        ("NUL .exr", "'NUL .exr' is a device on Windows"),
        ("a /b", "'a ' ends with a dot or a space, which Windows drops"),
        ("b/a:b", "'a:b' holds a character that Windows forbids"),
    ],
)
@pytest.mark.parametrize("windows", [False, True])
def test_a_path_is_refused_for_what_is_wrong_with_it(path: str, reason: str, windows: bool) -> None:
    with pytest.raises(UnsafePathError) as refused:
        safe_parts(path, windows=windows)
    assert str(refused.value) == reason


@pytest.mark.parametrize("path", ["a/./b", "./a/b", "a//b", "./a/./b"])
def test_a_dot_and_nothing_are_no_folders(path: str) -> None:
    assert safe_parts(path, windows=False) == safe_parts(path, windows=True) == ("a", "b")


@pytest.mark.parametrize("path", ["con", "ab:c", "a.", "d\\a:b"])
def test_on_windows_nothing_is_taken_that_it_cannot_hold(path: str) -> None:
    with pytest.raises(UnsafePathError):
        safe_parts(path, windows=True, portable=False)
    assert safe_parts(path, windows=False, portable=False) == (path,)


def test_a_backslash_separates_on_windows_and_is_refused_elsewhere() -> None:
    assert safe_parts("a\\b.png", windows=True) == ("a", "b.png")
    with pytest.raises(UnsafePathError, match="backslash"):
        safe_parts("a\\b.png", windows=False)
    assert safe_parts("a\\b.png", windows=False, portable=False) == ("a\\b.png",)


def folder(output_dir: str, windows: bool, destination: PurePath | None = None, job: str = "00012") -> str:
    home = PureWindowsPath("C:\\Users\\me") if windows else PurePosixPath("/home/me")
    return str(output_folder(output_dir, job, destination, home, windows=windows))


def test_files_go_to_the_output_path_of_the_job() -> None:
    assert folder("/proj/out", windows=False) == "/proj/out"
    assert folder("P:\\out", windows=True) == "P:\\out"
    assert folder("\\\\server\\share\\out", windows=True) == "\\\\server\\share\\out"


def test_or_to_the_destination_by_job() -> None:
    assert folder("/proj/out", windows=False, destination=PurePosixPath("/mnt")) == "/mnt/00012"
    assert folder("nonsense", windows=True, destination=PureWindowsPath("D:\\x")) == "D:\\x\\00012"


def test_or_to_a_folder_in_the_home_where_the_output_path_is_of_another_system() -> None:
    assert folder("P:\\out", windows=False) == "/home/me/CONDUCTOR_DOWNLOADS/00012"
    assert folder("/proj/out", windows=True) == "C:\\Users\\me\\CONDUCTOR_DOWNLOADS\\00012"


@pytest.mark.parametrize(
    "output_dir",
    ["", "relative", "/proj/../etc", "a\0b", "C:relative", "/a\0b", "C:\\a\0b", "/\ud800", "C:\\\ud800"],
)
@pytest.mark.parametrize("windows", [False, True])
def test_an_output_path_that_leads_nowhere_is_refused(output_dir: str, windows: bool) -> None:
    with pytest.raises(UnsafePathError):
        folder(output_dir, windows)


@pytest.mark.parametrize("job", ["..", "a/b", "/etc", "", "C:", "nul"])
def test_a_job_id_that_is_no_name_is_refused(job: str) -> None:
    with pytest.raises(UnsafePathError):
        folder("/proj/out", windows=False, destination=PurePosixPath("/mnt"), job=job)


def test_a_file_may_be_claimed_again_by_who_has_it_or_with_the_same_content() -> None:
    claims = Claims()
    claims.claim(PurePosixPath("/out/a"), "task 000", "md5")
    claims.claim(PurePosixPath("/out/a"), "task 000", "other")
    claims.claim(PurePosixPath("/out/a"), "task 001", "md5")
    with pytest.raises(UnsafePathError, match="task 000 has another file"):
        claims.claim(PurePosixPath("/out/a"), "task 001", "other")
    with pytest.raises(UnsafePathError, match="another file"):
        claims.claim(PurePosixPath("/out/a"), "task 001", None)


def test_files_of_unknown_content_are_not_taken_for_the_same() -> None:
    claims = Claims()
    claims.claim(PurePosixPath("/out/a"), "task 000", None)
    claims.claim(PurePosixPath("/out/a"), "task 000", None)
    with pytest.raises(UnsafePathError, match="task 000 has another file"):
        claims.claim(PurePosixPath("/out/a"), "task 001", None)


@pytest.mark.parametrize("other", ["/out/A.png", "/OUT/a.png", "/out/\u00c4", "/out/A\u0308", "/out/a\u0308"])
def test_names_that_file_systems_take_for_one_are_claimed_once(other: str) -> None:
    claims = Claims()
    for path in ("/out/a.png", "/out/\u00e4"):
        claims.claim(PurePosixPath(path), "task 000", "md5")
    with pytest.raises(UnsafePathError, match="case"):
        claims.claim(PurePosixPath(other), "task 000", "md5")


def test_the_way_is_looked_at_up_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_bytes(b"")
    check_way(tmp_path, ("real", "not", "there", "yet"))
    check_way(tmp_path, ("file",))
    check_way(tmp_path / "link", ("a",))
    for parts, why in (
        (("link", "a"), "link"),
        (("link",), "link"),
        (("real",), "not a regular"),
        (("file", "a"), "not a f"),
    ):
        with pytest.raises(UnsafePathError, match=why):
            check_way(tmp_path, parts)
