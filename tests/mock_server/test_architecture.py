"""Who imports whom: the heart knows neither web nor disk nor time, and the rooms around it keep their order."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import conductor_mock

ROOT = Path(conductor_mock.__file__).parent
FORBIDDEN_IN_THE_FARM = {
    "flask", "werkzeug", "sqlalchemy", "sqlite3", "threading", "time", "random", "secrets", "uuid", "os", "socket",
    "subprocess", "requests", "cheroot", "logging", "asyncio", "pathlib", "io",
}  # fmt: skip


def modules(folder: str = "") -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """The full name of everything that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    """The part of the server that a module belongs to: `farm`, `store`, ... or the module itself."""
    return module.split(".")[1]


@pytest.mark.parametrize("path", modules("farm"), ids=name_of)
def test_the_farm_decides_and_never_does(path: Path) -> None:
    imported = {name.split(".")[0] for name in imports(path)}

    assert not imported & FORBIDDEN_IN_THE_FARM
    own = {room(name) for name in imports(path) if name.startswith("conductor_mock.")}
    assert own <= {"farm", "md5"}


@pytest.mark.parametrize("path", modules("farm"), ids=name_of)
def test_the_farm_does_not_ask_for_the_time(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"now", "utcnow", "today"}, f"line {node.lineno}"


ALLOWED = {
    "api": {"api", "auth", "context", "errors", "farm", "store", "catalog", "outputs", "md5"},
    "mailing": {"mailing", "farm", "store"},
    "bundles": {"bundles", "farm", "store", "catalog", "md5", "service", "version"},
    "control": {
        "control",
        "api",
        "auth",
        "bundles",
        "context",
        "farm",
        "mailing",
        "store",
        "catalog",
        "errors",
        "faults",
        "version",
    },
    "dashboard": {"dashboard", "control", "context", "farm", "version"},
    "store": {"store", "farm", "md5"},
    "catalog": {"catalog"},
    "execution": {"execution", "farm", "store", "md5", "settings"},
}
"""What each room may import of this package. `api` and `control` reach stored things through the service."""


@pytest.mark.parametrize("folder", ALLOWED)
def test_the_rooms_keep_their_order(folder: str) -> None:
    for path in modules(folder):
        own = {room(name) for name in imports(path) if name.startswith("conductor_mock.")}
        assert own <= ALLOWED[folder], name_of(path)


@pytest.mark.parametrize("folder", ["store", "catalog", "farm", "execution"])
def test_what_lies_below_the_web_does_not_know_it(folder: str) -> None:
    for path in modules(folder):
        assert not {name.split(".")[0] for name in imports(path)} & {
            "flask",
            "werkzeug",
            "cheroot",
            "click",
        }, path.name


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_the_server_does_not_import_the_client(path: Path) -> None:
    assert "conductor" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_module_holds_state_of_its_own(path: Path) -> None:
    """State is handed in: a server is a value, and two in one process are two."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        assert not isinstance(node, (ast.Global, ast.For, ast.While, ast.With)), f"line {node.lineno}"
        value = getattr(node, "value", None)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(value, (ast.List, ast.Set)) and "__all__" not in [
            getattr(one, "id", "") for one in targets
        ]:
            raise AssertionError(f"line {node.lineno}: a list or set that can be changed")


def test_importing_the_server_does_nothing() -> None:
    """No file, no thread, no log handler."""
    program = (
        "import logging, threading, sys; import conductor_mock.app, conductor_mock.cli, conductor_mock.inprocess;"
        "print(threading.active_count(), logging.getLogger().handlers)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert (finished.stdout, finished.stderr) == ("1 []\n", "")
