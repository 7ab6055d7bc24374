"""Text files as people's editors and shells write them: the one reader of this library."""

from __future__ import annotations

import codecs
from pathlib import Path

# The longer mark first: that of UTF-32 begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class NotTextError(ValueError):
    """A file is not text; the message goes on after its name."""


def read_text(path: Path) -> str:
    """Return the text of a file: UTF-8, or what a byte order mark says, which is no part of it.

    Windows writes both ("UTF-8 with BOM", and UTF-16 by ``>`` in PowerShell). Ends of lines stay as they are. Raises
    OSError, and NotTextError for anything else.
    """
    data = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        shown = (
            "UTF-8"
            if encoding.startswith("utf-8")
            else f"the {encoding.upper()} that its first bytes promise"
        )
        raise NotTextError(f"is not {shown} (at byte {error.start}); save it as UTF-8") from None
    if "\0" in text:
        raise NotTextError("holds NUL characters, as UTF-16 without a byte order mark does; save it as UTF-8")
    return text
