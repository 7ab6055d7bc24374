"""Text that a file has without quotes, where what it means is decided by what it is for."""

from __future__ import annotations


class Written(str):
    """A value as it is written in a file: ``0010``, ``1.10``, ``on``. ``where`` is its place, for messages."""

    __slots__ = ("where",)

    where: str

    def __new__(cls, text: str, where: str) -> Written:
        """Make it of its text and its place."""
        made = super().__new__(cls, text)
        made.where = where
        return made


def place_of(value: object) -> str:
    """Return where a value is written, nothing if that is not known."""
    return value.where if isinstance(value, Written) else ""
