"""`conductor-mock outcomes`: how tasks go."""

from __future__ import annotations

import json
from typing import Any

import click

from conductor_contracts.problems import count
from conductor_mock.commands.given import json_value, named_value
from conductor_mock.commands.target import DefaultGroup, Target, target_options

_MATCH = ("jid", "tid", "frames", "title", "project", "owner", "metadata")


@click.group(cls=DefaultGroup)
def outcomes() -> None:
    """List, add or clear the rules for how tasks go. Without a command: list."""


@outcomes.command("list")
@target_options
def show(target: Target) -> None:
    """List the rules, the first that fits a task first."""
    answer = target.ask("GET", "outcomes")
    target.show(answer, map(_line, answer["rules"]) if answer["rules"] else ["no rules"])


@outcomes.command()
@click.argument("outcome", nargs=-1, metavar="[OUTCOME]...")
@click.option("--jid", help="Only tasks of this job.")
@click.option("--tid", help="Only tasks of this number, such as 003.")
@click.option("--frames", help="Only tasks with one of these frames.")
@click.option("--title", help="Only tasks of jobs with this title.")
@click.option("--project", help="Only tasks of jobs of this project.")
@click.option("--owner", help="Only tasks of jobs of this owner.")
@click.option(
    "--metadata", multiple=True, metavar="NAME=VALUE", help="Only tasks of jobs with this metadata."
)
@click.option("--duration", type=float, help="Simulated seconds that each attempt takes.")
@click.option("--exit-code", type=int, help="Exit code of attempts that fail.  [default: 1]")
@click.option("--rule", help="A whole rule as JSON, or a list of them, instead of the rest.")
@target_options
def add(target: Target, outcome: tuple[str, ...], rule: str | None, **options: Any) -> None:
    """Let tasks go so: OUTCOME is success, failed or preempted, one for every attempt, or one for each."""
    given = {name: value for name, value in options.items() if value not in (None, ())}
    if rule is not None and (given or outcome):
        raise click.UsageError("--rule stands alone: say the rest in it")
    answer = target.ask(
        "POST", "outcomes", body=_made(outcome, given) if rule is None else json_value("--rule", rule)
    )
    fit = f"{count(answer['tasks_that_fit'], 'task')} that {'fits' if answer['tasks_that_fit'] == 1 else 'fit'} now"
    target.show(answer, [_line(answer["rules"][0]), fit, *answer["warnings"]])


@outcomes.command()
@target_options
def clear(target: Target) -> None:
    """Remove every rule: tasks go as metadata and seed say."""
    target.ask("DELETE", "outcomes")
    target.show({"rules": []}, ["no rules any more"])


def _made(outcome: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    if "metadata" in given:
        given["metadata"] = dict(named_value("--metadata", text) for text in given["metadata"])
    rule: dict[str, Any] = {name: given[name] for name in ("duration", "exit_code") if name in given}
    if outcome:
        rule["outcome"] = outcome[0] if len(outcome) == 1 else list(outcome)
    return {"match": {name: given[name] for name in _MATCH if name in given}, **rule}


def _line(rule: dict[str, Any]) -> str:
    match = ", ".join(
        f"{name} {json.dumps(value) if isinstance(value, dict) else value}"
        for name, value in rule.get("match", {}).items()
    )
    outcome = rule.get("outcome", ())
    words = [outcome if isinstance(outcome, str) else ", ".join(outcome)] if outcome else []
    if "duration" in rule:
        words.append(f"{rule['duration']:g} s")
    if "exit_code" in rule:
        words.append(f"exit code {rule['exit_code']}")
    return f"{match or 'every task'}: {'; '.join(words)}"
