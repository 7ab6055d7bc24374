"""A stand-in for Cinema 4D: a document on the disk, and a window whose controls hold what is put into them.

Constants are numbers, each its own; of tokens `$prj` and `$take` are replaced. `open_document` says which one is open.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

VERSION = 2023203
GEMB_R_OK = GEMB_R_V_OK = 0
"""Every question is answered with it."""

console: list[str] = []
"""What was written to the console."""
shown: list[str] = []
"""What was shown to the user in a box."""

_numbers = itertools.count(1)
_constants: dict[str, int] = defaultdict(lambda: next(_numbers))


def __getattr__(name: str) -> int:
    if name.startswith("__"):
        raise AttributeError(name)
    return _constants[name]


def GetC4DVersion() -> int:
    return VERSION


def WriteConsole(text: str) -> None:
    console.append(text)


def _ignored(*arguments: Any, **named: Any) -> bool:
    return True


EventAdd = SpecialEventAdd = _ignored


class Vector:
    def __init__(self, *numbers: float) -> None:
        pass


class BaseContainer:
    """Values by number."""

    def __init__(self, number: int = 0) -> None:
        self.values: dict[Any, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        return self.values.get(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.values[key] = value

    SetString = SetBool = SetInt32 = SetInt64 = SetFloat = SetFilename = SetContainer = __setitem__
    GetContainerInstance = __getitem__

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(list(self.values.items()))

    def FlushAll(self) -> None:
        self.values.clear()


class _Take:
    def GetName(self) -> str:
        return "Main"

    def IsChecked(self) -> bool:
        return True

    def GetDown(self) -> None:
        """Its first child: it has none."""


class _TakeData:
    def GetCurrentTake(self) -> _Take:
        return _Take()

    GetMainTake = GetCurrentTake


class _Time:
    def __init__(self, frame: int) -> None:
        self._frame = frame

    def GetFrame(self, rate: float) -> int:
        return self._frame


class _Owner:
    """What an asset belongs to."""

    def GetType(self) -> int:
        return 0

    def GetName(self) -> str:
        return "material"


class _RenderData(BaseContainer):
    def GetDataInstance(self) -> _RenderData:
        return self

    def GetFirstVideoPost(self) -> None:
        """Its first effect: it has none."""


class Document(BaseContainer):
    """A scene that was saved, with what it renders and reads."""

    def __init__(self, path: str, frames: tuple[int, int], output: str, textures: list[str]) -> None:
        super().__init__()
        self._path, self.textures = Path(path), textures
        first, last = frames
        self._render_data = _RenderData()
        self._render_data.values.update(
            {
                _constants["RDATA_GLOBALSAVE"]: True,
                _constants["RDATA_SAVEIMAGE"]: True,
                _constants["RDATA_PATH"]: output,
                _constants["RDATA_FRAMEFROM"]: _Time(first),
                _constants["RDATA_FRAMETO"]: _Time(last),
                _constants["RDATA_FRAMESTEP"]: 1,
                _constants["RDATA_RENDERENGINE"]: _constants["RDATA_RENDERENGINE_STANDARD"],
            }
        )

    def GetDocumentName(self) -> str:
        return self._path.name

    def SetDocumentName(self, name: str) -> None:
        self._path = self._path.with_name(name)

    def GetDocumentPath(self) -> str:
        return str(self._path.parent)

    def GetDataInstance(self) -> Document:
        return self

    def GetTakeData(self) -> _TakeData:
        return _TakeData()

    def GetFps(self) -> int:
        return 24

    def GetActiveRenderData(self) -> _RenderData:
        return self._render_data

    def __getattr__(self, name: str) -> Any:
        """What walks through objects and materials finds none."""
        if name.startswith("GetFirst"):
            return lambda: None
        if name.startswith("Get"):
            return list
        raise AttributeError(name)


_open: list[Document] = []


def open_document(document: Document) -> None:
    """Have a document open, and no other."""
    _open[:] = [document]


def _save(document: Document, path: str, saveflags: int, format: int) -> bool:
    Path(path).write_bytes(b"a scene")
    return True


def _assets(
    document: Document, as_text: bool, last: str, *, flags: int, assetList: list[dict[str, Any]]
) -> int:
    assetList += [
        {"filename": name, "assetname": name, "owner": _Owner(), "exists": True, "paramId": -1}
        for name in document.textures
    ]
    return 0


documents = SimpleNamespace(GetActiveDocument=lambda: _open[0], SaveDocument=_save, GetAllAssetsNew=_assets)


def _without_tokens(text: str, path_data: object) -> str:
    name = Path(_open[0].GetDocumentName()).stem
    return text.replace("$prj", name).replace("$take", "Main")


modules = SimpleNamespace(
    tokensystem=SimpleNamespace(
        StringConvertTokens=_without_tokens, FilenameConvertTokens=_without_tokens, GetAllTokenEntries=list
    )
)
storage = SimpleNamespace(LoadDialog=lambda **options: "")


class GeDialog:
    """A window: each control holds a value, and has children if it is a menu; how it looks is nobody's business."""

    _values: dict[int, Any]

    def _held(self) -> dict[int, Any]:
        held: dict[int, Any] = self.__dict__.setdefault("_values", {})
        return held

    def _set(self, control: int, value: Any, **options: Any) -> bool:
        self._held()[control] = value
        return True

    SetInt32 = SetString = SetBool = SetFloat = _set

    def GetInt32(self, control: int) -> int:
        return int(self._held().get(control, 0))

    def GetString(self, control: int) -> str:
        return str(self._held().get(control, ""))

    def GetBool(self, control: int) -> bool:
        return bool(self._held().get(control, False))

    def GetItemDim(self, control: int) -> dict[str, int]:
        return dict.fromkeys("xywh", 0)

    def __getattr__(self, name: str) -> Any:
        if not name[0].isupper():
            raise AttributeError(name)
        return _ignored


def _show(text: str, type: int = 0) -> int:
    shown.append(text)
    return GEMB_R_OK


gui = SimpleNamespace(GeDialog=GeDialog, MessageDialog=_show, StatusSetSpin=_ignored, StatusClear=_ignored)
