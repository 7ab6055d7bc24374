"""Files as data: trees of contents, and the records of them that go over the wire."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from conductor_contracts.strategies.values import absolute_paths, check_size, md5s

_SIZES = st.one_of(st.integers(0, 5000), st.sampled_from([0, 2**31, 2**32 + 1, 2**40]))
_TIMES = st.floats(0, 4e9, allow_nan=False)


def file_trees(
    *, min_files: int = 0, max_files: int = 6, max_bytes: int = 200
) -> st.SearchStrategy[dict[str, bytes]]:
    """Folders of files: relative POSIX paths with contents, such as ``{"textures/a.tx": b"..."}``.

    No path lies below another, no two differ in case only, and no name is one that Windows would not
    take; equal and empty contents are common. `write_tree` makes files of one.
    """
    check_size("min_files", min_files, "max_files", max_files)
    check_size("0", 0, "max_bytes", max_bytes)
    names = st.text("abcXYZ019 ._-#%é", min_size=1, max_size=8).filter(_is_portable)
    paths = st.lists(names, min_size=1, max_size=3).map("/".join)
    contents = st.one_of(st.just(b""), st.sampled_from([b"abc", b"scene"]), st.binary(max_size=max_bytes))
    trees = st.lists(
        st.tuples(paths, contents),
        min_size=min_files,
        max_size=max_files,
        unique_by=lambda item: item[0].lower(),
    ).map(dict)
    return trees.filter(_is_a_tree)


def write_tree(folder: Path, tree: Mapping[str, bytes]) -> dict[str, bytes]:
    """Write a tree below a folder; the result maps each absolute path to its content. Files that were there stay."""
    written = {}
    for name, content in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written[str(path)] = content
    return written


def upload_files(
    *, min_size: int = 0, max_size: int = 4, daemon: bool = False
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists for ``upload_files`` of a job: paths of their own, md5s and the fields of stat.

    With ``daemon`` some md5s are null, as where an uploader daemon will compute them (wire reference 3.2).
    """
    check_size("min_size", min_size, "max_size", max_size)
    if not isinstance(daemon, bool):
        raise InvalidArgument(f"daemon must be true or false, got {daemon!r}")
    numbers = st.integers(0, 2**63 - 1)
    entries = st.fixed_dictionaries(
        {
            "destination": absolute_paths(),
            "md5": st.one_of(st.none(), md5s()) if daemon else md5s(),
            "st_size": _SIZES,
        },
        optional={
            "st_mode": st.sampled_from([0o100644, 0o100755]),
            "st_ino": numbers,
            "st_dev": numbers,
            "st_nlink": st.integers(1, 5),
            "st_uid": st.integers(0, 70000),
            "st_gid": st.integers(0, 70000),
            "st_atime": _TIMES,
            "st_mtime": _TIMES,
            "st_ctime": _TIMES,
        },
    )
    return st.lists(
        entries, min_size=min_size, max_size=max_size, unique_by=lambda entry: str(entry["destination"])
    )


def upload_requests(*, contents: Mapping[str, bytes] | None = None) -> st.SearchStrategy[dict[str, Any]]:
    """Valid bodies for ``files.get_upload_urls``, with 1 to 20 files.

    ``contents`` maps absolute paths to bytes; without it paths, md5s and sizes are drawn.
    """
    projects = st.sampled_from(["default", "spiderman", "", None])
    if contents is None:
        files = st.lists(
            st.fixed_dictionaries({"path": absolute_paths(), "hash": md5s(), "size": _SIZES}),
            min_size=1,
            max_size=20,
            unique_by=lambda entry: str(entry["path"]),
        )
    elif not 1 <= len(contents) <= 20:
        raise InvalidArgument(f"contents must hold 1 to 20 files, got {len(contents)}")
    else:
        files = st.just([candidate(path, content) for path, content in contents.items()])
    return st.fixed_dictionaries({"upload_files": files}, optional={"project": projects})


def candidate(path: str, content: bytes) -> dict[str, Any]:
    """A file as ``files.get_upload_urls`` asks for it."""
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    return {"path": path, "hash": base64.b64encode(digest).decode(), "size": len(content)}


def _is_portable(name: str) -> bool:
    return name == name.strip() and not name.endswith(".") and name.strip(".") != ""


def _is_a_tree(tree: dict[str, bytes]) -> bool:
    """Whether no file stands where another has a folder."""
    lowered = {path.lower() for path in tree}
    return not any(str(parent) in lowered for path in lowered for parent in PurePosixPath(path).parents)
