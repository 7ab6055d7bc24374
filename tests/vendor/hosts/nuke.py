"""A stand-in for Nuke: nodes with knobs, in a script that is saved on the disk.

Of expressions only `[value NAME]` is evaluated; the others stay as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

NUKE_VERSION_MAJOR = 13
NUKE_VERSION_STRING = "13.2v4"
STARTLINE, INPUTS, HIDDEN_INPUTS = 1, 2, 4

_VALUE = re.compile(r"\[value ([\w.]+)\]")


class Knob:
    """A value of a node, with a name."""

    def __init__(self, name: str, label: str = "", value: Any = "") -> None:
        self._name, self._value = name, value
        self.holder: Node | None = None

    def Class(self) -> str:
        return type(self).__name__

    def name(self) -> str:
        return self._name

    def node(self) -> Node | None:
        return self.holder

    def value(self) -> Any:
        return self._value

    def setValue(self, value: Any) -> None:
        self._value = value

    def getValue(self) -> Any:
        return self.value()

    getText = getValue
    setText = setValue

    def getObject(self) -> None:
        """The widget of a knob: there is none without a window."""

    def _ignored(self, *arguments: Any) -> None:
        """What changes only how a knob looks."""

    setVisible = setEnabled = setTooltip = setFlag = clearFlag = _ignored


class String_Knob(Knob):
    pass


class Text_Knob(Knob):
    pass


class Tab_Knob(Knob):
    pass


class PyScript_Knob(Knob):
    pass


class PyCustom_Knob(Knob):
    pass


class File_Knob(Knob):
    pass


class Int_Knob(Knob):
    pass


class Boolean_Knob(Knob):
    def getValue(self) -> float:
        return float(bool(self._value))


class EvalString_Knob(Knob):
    """Its text may have expressions in it."""

    def getValue(self) -> str:
        return _VALUE.sub(lambda match: str(_lookup(self.holder, match[1])), str(self._value))


class Enumeration_Knob(Knob):
    """A menu; what was chosen stays as long as it is in it."""

    def __init__(self, name: str, label: str, values: Sequence[str]) -> None:
        super().__init__(name, label, values[0])
        self.choices = list(values)

    def values(self) -> list[str]:
        return list(self.choices)

    def setValues(self, values: Sequence[str]) -> None:
        self.choices = list(values)
        if self._value not in self.choices:
            self._value = self.choices[0]


class CascadingEnumeration_Knob(Enumeration_Knob):
    pass


class Node:
    """A node of the script. `every` are all of them, by name."""

    every: dict[str, Node] = {}

    def __init__(self, kind: str, name: str) -> None:
        self._kind, self._name = kind, name
        self._knobs: dict[str, Knob] = {}
        self._inputs: list[Node] = []
        self.addKnob(Boolean_Knob("selected"))
        self.addKnob(String_Knob("knobChanged"))
        Node.every[name] = self

    def Class(self) -> str:
        return self._kind

    def name(self) -> str:
        return self._name

    fullName = name

    def setName(self, name: str) -> None:
        Node.every[name] = Node.every.pop(self._name)
        self._name = name

    def addKnob(self, knob: Knob) -> None:
        knob.holder = self
        self._knobs[knob.name()] = knob

    def knob(self, name: str) -> Knob | None:
        return self._knobs.get(name)

    def __getitem__(self, name: str) -> Knob:
        return self._knobs[name]

    def allKnobs(self) -> list[Knob]:
        return list(self._knobs.values())

    def dependencies(self, what: int = INPUTS) -> list[Node]:
        return list(self._inputs)

    def setInput(self, number: int, node: Node) -> None:
        self._inputs[number:] = [node]

    def nodes(self) -> list[Node]:
        return []

    def modified(self) -> bool:
        return False


_ROOT = Node("Root", "root")
for _knob in (File_Knob("name"), Int_Knob("first_frame", value=1), Int_Knob("last_frame", value=1)):
    _ROOT.addKnob(_knob)


def _lookup(node: Node | None, name: str) -> Any:
    holder, _, knob = name.rpartition(".")
    found = (Node.every[holder] if holder else node or _ROOT).knob(knob)
    return "" if found is None else found.getValue()


def Root() -> Node:
    return _ROOT


def toNode(name: str) -> Node | None:
    return Node.every.get(name)


def createNode(kind: str) -> Node:
    return Node(kind, f"{kind}{len(Node.every)}")


def allNodes(kind: str | None = None) -> list[Node]:
    return [node for node in Node.every.values() if kind in (None, node.Class())]


def selectedNodes(kind: str | None = None) -> list[Node]:
    return [node for node in allNodes(kind) if node["selected"].value()]


def thisNode() -> Node:
    return next(node for node in Node.every.values() if node.name() == "Conductor")


def runIn(node: str, expression: str) -> str:
    """The text of `nuke.tcl('return TEXT')`, its expressions evaluated."""
    text = expression.partition("return ")[2].rpartition("'")[0]
    return _VALUE.sub(lambda match: str(_lookup(Node.every[node], match[1])), text)


def script_directory() -> str:
    return str(Path(_ROOT["name"].value()).parent)


def scriptSaveAs(filename: str, overwrite: int = 0) -> None:
    """Save the script under another name, which is its name from then on."""
    Path(filename).write_bytes(b"a script")
    _ROOT["name"].setValue(filename)


def scriptSave() -> bool:
    return True


def alert(message: str) -> None:
    raise RuntimeError(message)


def executeInMainThread(function: Callable[..., Any], args: tuple[Any, ...] = ()) -> None:
    """What a thread asks of the window: there is none."""


def _ignored(*arguments: Any) -> None:
    """What changes only how things look."""


knobDefault = show = pluginAppendPath = _ignored
