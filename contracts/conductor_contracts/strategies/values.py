"""Small values that the larger strategies are made of."""

from __future__ import annotations

import base64

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

MACHINES = ("n1-standard-2", "n1-highmem-8", "n1-standard-4-t4-1", "m5.xlarge", "cw-epyc-16")
WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)


def md5s() -> st.SearchStrategy[str]:
    """Md5s as the service writes them: base64 of 16 bytes, such as ``kAFQmDzST7DWlj99KOF/cg==``."""
    return st.binary(min_size=16, max_size=16).map(lambda digest: base64.b64encode(digest).decode())


def frame_specs(*, min_frame: int = -20, max_frame: int = 2000) -> st.SearchStrategy[str]:
    """Frames in the grammar of wire reference 7.3, such as ``8``, ``10-12`` or ``1, 10-20, 100-200x2``.

    Ranges are short, so that a job made of one stays small.
    """
    check_range("min_frame", min_frame, "max_frame", max_frame)
    numbers = st.integers(min_frame, max_frame)

    def text(part: tuple[int, int, int]) -> str:
        first, length, step = part
        last = min(first + length, max_frame)
        if length == 0:
            return str(first)
        return f"{first}-{last}" if step == 1 else f"{first}-{last}x{step}"

    parts = st.tuples(numbers, st.integers(0, 12), st.integers(1, 5)).map(text)
    separators = st.sampled_from([",", ", "])
    return st.builds(lambda found, by: by.join(found), st.lists(parts, min_size=1, max_size=4), separators)


def texts(*, min_size: int = 0, max_size: int = 20) -> st.SearchStrategy[str]:
    """Texts as people write them: any characters but control ones, surrogates and odd spaces at the ends."""
    characters = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))
    found = st.text(characters, min_size=min_size, max_size=max_size).map(str.strip)
    return found.filter(lambda text: len(text) >= min_size)


def absolute_paths() -> st.SearchStrategy[str]:
    """Absolute paths as clients send them: POSIX, or with a drive letter and forward slashes."""
    names = st.text("abcXYZ019 ._-#%é", min_size=1, max_size=8).filter(lambda name: name.strip(". ") != "")
    roots = st.sampled_from(["/", "/", "/", "C:/", "x:/"])
    return st.builds(
        lambda root, steps: root + "/".join(steps), roots, st.lists(names, min_size=1, max_size=4)
    )


def check_range(low_name: str, low: object, high_name: str, high: object) -> None:
    """Raise InvalidArgument unless both are whole numbers in order."""
    if _whole(low_name, low) > _whole(high_name, high):
        raise InvalidArgument(f"{low_name} must not be above {high_name}, got {low} and {high}")


def _whole(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgument(f"{name} must be a whole number, got {value!r}")
    return value


def check_size(low_name: str, low: int, high_name: str, high: int) -> None:
    """Raise InvalidArgument unless both are whole numbers in order, 0 or more."""
    check_range(low_name, low, high_name, high)
    check_range("0", 0, low_name, low)
