"""A stand-in for Qt's widgets: everything can be made, called and connected, and nothing happens."""

from __future__ import annotations

from typing import Any


class _Anything(type):
    """Its classes have every attribute: constants, and functions that need no instance."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Widget()


class Widget(metaclass=_Anything):
    """Every class of the toolkit, and everything that one gives."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Widget()

    def __call__(self, *arguments: Any, **named: Any) -> Widget:
        return Widget()

    def __mul__(self, other: object) -> float:
        return 1.0

    __rmul__ = __truediv__ = __mul__

    def __or__(self, other: object) -> Widget:
        return self

    def __lt__(self, other: object) -> bool:
        return False

    __gt__ = __lt__

    def __index__(self) -> int:
        return 0

    __int__ = __index__

    def __bool__(self) -> bool:
        return False


class _Classes:
    def __getattr__(self, name: str) -> type[Widget]:
        return Widget


QtWidgets = QtCore = QtGui = _Classes()
