"""What a contributor is told to run is there, and the hooks call nothing but it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*## ", MAKEFILE, re.MULTILINE))
CONTRIBUTING = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
TOLD = [
    path
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
        ROOT / ".ci" / "run",
    )
    if path.is_file()
]


def hooks() -> list[dict[str, Any]]:
    return [hook for repository in HOOKS["repos"] for hook in repository["hooks"]]


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_target_that_somebody_is_told_to_make_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"`(?:\w+=\S+ )?make ([a-z-]+)`|^(?: {4}|step )make ([a-z-]+)", text, re.MULTILINE)

    assert {first or second for first, second in named} <= TARGETS


def test_every_target_that_checks_something_is_among_the_commands_from_fast_to_slow() -> None:
    table = CONTRIBUTING.partition("## Tests, from fast to slow")[2].partition("\n## ")[0]

    checks = {"check", "test", "test-fast", "test-all", "flake", "fuzz", "mutants", "prove", "bench"}
    assert checks <= TARGETS
    for name in checks:
        assert f"make {name}" in table, name


def test_hooks_call_what_is_in_the_project_and_download_nothing() -> None:
    assert {repository["repo"] for repository in HOOKS["repos"]} == {"local"}
    assert hooks()
    for hook in hooks():
        assert hook["language"] == "system", hook["id"]
        assert "additional_dependencies" not in hook, hook["id"]
        program, *words = hook["entry"].split()
        assert program.startswith(".venv/bin/") or (program == "make" and set(words) <= TARGETS), hook["id"]
        assert all((ROOT / word).exists() for word in words if "/" in word), hook["id"]


def test_before_a_push_everything_is_checked_that_ci_checks_first() -> None:
    (entry,) = [hook["entry"] for hook in hooks() if hook.get("stages") == ["pre-push"]]

    first = re.findall(r"^step (make .+)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)[
        0
    ]
    assert entry == first


@pytest.mark.parametrize("name", ["bug_report", "feature_request"])
def test_an_issue_form_asks_for_something_by_a_name_of_its_own(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text(encoding="utf-8"))
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]

    assert form["name"]
    assert form["description"]
    assert len(ids) == len(set(ids)) > 1
    assert any(part.get("validations", {}).get("required") for part in form["body"])


def test_every_kind_of_change_has_a_checklist() -> None:
    kinds = re.findall(r"^### (.+)$", CONTRIBUTING.partition("\n## Checklists\n")[2], re.MULTILINE)

    assert kinds == [
        *("An operation", "A field of a job", "A job or task status", "An action", "A fault kind"),
        *("A Submit argument", "A client command", "A page", "A catalogue entry and a price"),
        "A record of the log",
    ]


NAMED = sorted(set(re.findall(r"`([^`\n]+)`", CONTRIBUTING.partition("\n## Checklists\n")[2])))
FILES = [
    path
    for folder in ("client", "contracts", "docs", "mock_server", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
]
DOTTED = {
    word
    for path in FILES
    if path.suffix in (".py", ".yaml") and path != Path(__file__) and "half_done" not in path.parts
    for word in re.findall(r"@?\w+(?:\.\w+)*", path.read_text(encoding="utf-8"))
}
WORDS = DOTTED | {word for dotted in DOTTED for word in dotted.split(".")}


def is_there(name: str) -> bool:
    """Whether the tree has a file of this path, or of a path that ends with it, or code with this word."""
    return (
        (ROOT / name).exists() or name in WORDS or any(path.as_posix().endswith(f"/{name}") for path in FILES)
    )


@pytest.mark.parametrize("name", [name for name in NAMED if re.match(r"[\w@]", name) and " " not in name])
def test_what_a_checklist_names_is_there(name: str) -> None:
    assert is_there(name.removesuffix("()"))


def test_what_is_not_there_is_noticed() -> None:
    assert not any(
        is_there(name) for name in ("NOT_ONE_OF_OURS", "farm/nothing.py", "nothing.yaml", "jobs.paint")
    )
    assert len(NAMED) > 100
