"""The names that the package promises, and what importing them costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import conductor
import conductor.lib
from conductor.lib import api_client, conductor_submit, package_utils

LIBRARY = (Path(__file__).parents[2] / "docs" / "reference" / "library.md").read_text(encoding="utf-8")


def first_column(text: str) -> set[str]:
    """The names in the first cells of a page's tables, without their arguments."""
    cells = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
    return set(re.findall(r"`([\w.]+)[^`]*`", " ".join(cells)))


def test_the_exported_names_are_those_of_the_reference() -> None:
    documented = first_column(LIBRARY.partition("## The modules")[0])
    assert conductor.__all__ == sorted({*documented, "__version__"})
    assert "`conductor.__version__`" in LIBRARY


def test_the_public_modules_are_those_of_the_reference() -> None:
    modules = {f"conductor.lib.{path.stem}" for path in Path(conductor.lib.__path__[0]).glob("[!_]*.py")}
    assert modules == first_column(LIBRARY.partition("## The modules")[2])


def test_every_exported_name_is_there_and_at_home_in_a_public_module() -> None:
    assert set(conductor.__all__) <= set(dir(conductor))
    homes = {name: getattr(conductor, name).__module__ for name in conductor.__all__ if name != "__version__"}
    assert {
        name: home for name, home in homes.items() if not re.fullmatch(r"conductor\.lib\.[a-z0-9_]+", home)
    } == {}
    assert isinstance(conductor.__version__, str)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sumbit'"):
        _ = conductor.Sumbit  # type: ignore[attr-defined]


def test_the_documented_names_are_where_the_document_says() -> None:
    assert conductor_submit.Submit is conductor.Submit
    assert issubclass(conductor_submit.BadArgumentError, ValueError)
    assert callable(conductor_submit.set_logging)
    assert callable(package_utils.merge_package_environments)
    assert callable(api_client.request_software_packages)


def modules_after(statement: str, tmp_path: Path) -> set[str]:
    code = f"{statement}\nimport sys, json\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_nothing(tmp_path: Path) -> None:
    loaded = modules_after("import conductor", tmp_path)
    assert not {"requests", "conductor.lib.api_client", "importlib.metadata"} & loaded


def test_the_quick_starts_imports_leave_out_what_they_do_not_need(tmp_path: Path) -> None:
    loaded = modules_after("from conductor.lib import conductor_submit, package_utils, api_client", tmp_path)
    assert not {"click", "rich", "sqlite3", "yaml", "platformdirs", "difflib"} & loaded


def test_every_module_of_the_library_that_a_submission_needs_leaves_them_out_too(tmp_path: Path) -> None:
    loaded = modules_after("from conductor.lib import conductor_submit", tmp_path)
    heavy = {
        "click",
        "rich",
        "sqlite3",
        "yaml",
        "platformdirs",
        "filelock",
        "uuid",
        "asyncio",
        "multiprocessing",
    }
    assert not heavy & loaded
    ours = {name for name in loaded if name.startswith("conductor.")}
    assert not {name for name in ours if name.startswith("conductor.commands")}
    assert (
        not {
            "conductor.lib.md5_cache",
            "conductor.lib.upload.part_memory",
            "conductor.lib.files.cache_file",
        }
        & ours
    )


WATCHED = """
import json, sys
seen = []
def watch(event, arguments):
    if event == "open" and (set(str(arguments[1])) & set("wax+") or arguments[2] & 3):
        seen.append([event, str(arguments[0])])
    elif event.startswith(("socket.", "sqlite3.", "subprocess.", "os.mkdir", "_thread.start")):
        seen.append([event, ""])
import requests
sys.dont_write_bytecode = True
sys.addaudithook(watch)
from conductor.lib import conductor_submit, api_client, package_utils
from conductor import Submit, Uploader
watched = list(seen)
open("a file", "w").close()
print(json.dumps([watched, seen]))
"""


def test_importing_makes_no_file_no_thread_and_no_connection(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    at_import, in_all = json.loads(done.stdout)
    assert at_import == []
    assert in_all == [["open", "a file"]], "the watch sees what it is to see"
