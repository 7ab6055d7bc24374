"""The heart knows neither web nor disk nor time, and no module holds state. Who imports whom beyond that is a matter of
`lint-imports` (pyproject.toml)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
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


def offenders(folder: str, wrong: Callable[[Path], Iterable[str]]) -> dict[str, list[str]]:
    """What is wrong with the modules of a folder, by their names."""
    found = {name_of(path): list(wrong(path)) for path in modules(folder)}
    assert found, f"there are no modules in {folder}"
    return {name: said for name, said in found.items() if said}


def test_the_farm_decides_and_never_does() -> None:
    def wrong(path: Path) -> Iterator[str]:
        for name in imports(path):
            known = not name.startswith("conductor_mock.") or room(name) in {"farm", "wire", "errors"}
            if name.split(".")[0] in FORBIDDEN_IN_THE_FARM or not known:
                yield name

    assert offenders("farm", wrong) == {}


def test_the_farm_does_not_ask_for_the_time() -> None:
    def wrong(path: Path) -> Iterator[str]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
                yield f"line {node.lineno}: {node.attr}"

    assert offenders("farm", wrong) == {}


def test_the_server_does_not_import_the_client_and_of_the_test_kit_one_module_hands_it_out() -> None:
    found = offenders("", lambda path: [name for name in imports(path) if name.split(".")[0] == "conductor"])
    assert set(found) == {"conductor_mock.testkit.client"}


CHANGEABLE = {
    "set", "list", "dict", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict", "WeakValueDictionary",
    "WeakKeyDictionary", "WeakSet", "Lock", "RLock", "Condition", "Event", "Semaphore", "Barrier", "Queue",
    "SimpleQueue", "local", "ContextVar", "count", "cycle", "iter", "Random", "open",
}  # fmt: skip
"""What is called to make something that can be changed, or that somebody can wait for."""


def state_of(source: str) -> Iterator[str]:
    """What a module, or a class in it, holds that can be changed, each with the number of its line."""
    tree = ast.parse(source)
    for body in [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]:
        for node in body:
            if isinstance(node, (ast.Global, ast.For, ast.While, ast.With)) or _is_changeable(node):
                yield f"{node.lineno}: {ast.unparse(node)[:80]}"


def _is_changeable(node: ast.stmt) -> bool:
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return False
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        return False
    annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
    is_mapping = annotation.removeprefix("ClassVar[").removeprefix("tuple[").startswith("Mapping[")
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    return any(
        isinstance(value, (ast.List, ast.Set, ast.ListComp, ast.SetComp, ast.GeneratorExp))
        or (isinstance(value, (ast.Dict, ast.DictComp)) and not is_mapping)
        or (isinstance(value, ast.Call) and _name_of_call(value) in CHANGEABLE)
        for value in values
    )


def _name_of_call(call: ast.Call) -> str:
    return ast.unparse(call.func).partition("[")[0].rpartition(".")[2]


def test_no_module_holds_state_of_its_own() -> None:
    """State is handed in: a server is a value, and two in one process are two. Tables are a `Mapping` to mypy."""
    found = {name_of(path): list(state_of(path.read_text(encoding="utf-8"))) for path in modules()}

    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "SEEN = set()", "SEEN: set[str] = set()", "SEEN = []", "SEEN = [name for name in 'ab']", "SEEN = dict(a=1)",
        "SEEN = {}", "SEEN = collections.defaultdict(list)", "SEEN, LOCK = 1, threading.Lock()",
        "SEEN = WeakValueDictionary[str, int]()", "class A:\n    seen = {}",
    ],
)  # fmt: skip
def test_state_of_a_module_is_seen(line: str) -> None:
    assert len(list(state_of(line))) == 1


BUCKET_OR_NOT = "conductor_mock.store.bucket_belonging"
"""Asks of a database whether its contents are in a bucket."""

PAGES = {"conductor_mock.dashboard.blueprint", "conductor_mock.dashboard.pages"}
"""Which pages there are, and how an error looks."""


def test_a_server_starts_without_what_only_some_requests_need() -> None:
    program = "import sys; import conductor_mock.app, conductor_mock.cli.serving; print(*sorted(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(finished.stdout.split())

    assert "conductor_mock.outputs.drawing" in loaded
    assert not loaded & {"PIL", "distributed", "psycopg", "requests", "sqlalchemy.dialects.postgresql"}
    assert not loaded & {"conductor_mock.execution.elsewhere", "conductor_mock.execution.remote"}
    assert not loaded & {"conductor_mock.mailing.mailer", "conductor_mock.mailing.smtp"}
    assert not {name for name in loaded if name.startswith("conductor_mock.store.bucket")} - {BUCKET_OR_NOT}
    assert {name for name in loaded if name.startswith("conductor_mock.dashboard.")} == PAGES


def test_importing_the_server_does_nothing() -> None:
    """No file, no thread, no log handler."""
    program = (
        "import logging, threading, sys;"
        "import conductor_mock.app, conductor_mock.cli.serving, conductor_mock.inprocess;"
        "print(threading.active_count(), logging.getLogger().handlers)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert (finished.stdout, finished.stderr) == ("1 []\n", "")
