"""`conductor-mock faults`: what the server is to do wrong."""

from __future__ import annotations

import json
from typing import Any

import click

from conductor_mock.commands.target import DefaultGroup, Target, target_options


@click.group(cls=DefaultGroup)
def faults() -> None:
    """List, add or clear the faults of an account. Without a command: list."""


@faults.command("list")
@target_options
def show(target: Target) -> None:
    """List the rules, and how often each was consumed."""
    answer = target.ask("GET", "faults")
    target.show(answer, map(_line, answer["faults"]) if answer["faults"] else ["no faults"])


@faults.command()
@click.option("--operation", help="An operation of the contract, such as jobs.create.")
@click.option("--method", help="A method; with --path.")
@click.option("--path", help="A regular expression that the whole path must fit.")
@click.option("--status", type=int, help="The status to answer with.  [default: 503]")
@click.option("--retry-after", type=int, help="Seconds for the Retry-After header.")
@click.option("--times", type=int, help="How often.  [default: always]")
@click.option("--skip", type=int, help="Requests that are served before.")
@click.option("--rule", help="A whole rule as JSON, instead of the other options.")
@target_options
def add(target: Target, rule: str | None, **options: Any) -> None:
    """Add a rule: requests that fit are refused."""
    given = {name: value for name, value in options.items() if value is not None}
    if rule is not None and given:
        raise click.UsageError("--rule stands alone: say the rest in it")
    answer = target.ask("POST", "faults", body=_made(given) if rule is None else _parsed(rule))
    target.show(answer, [_line(answer)])


@faults.command()
@target_options
def clear(target: Target) -> None:
    """Remove every rule of the account."""
    target.ask("DELETE", "faults")
    target.show({"faults": []}, ["no faults any more"])


def _made(given: dict[str, Any]) -> dict[str, Any]:
    match = {name: given[name] for name in ("operation", "method", "path") if name in given}
    fault = {name: given[name] for name in ("status", "retry_after") if name in given}
    counts: dict[str, Any] = {name: given[name] for name in ("times", "skip") if name in given}
    return {"match": match, "fault": {"kind": "status", "status": 503, **fault}, **counts}


def _parsed(rule: str) -> Any:
    try:
        return json.loads(rule)
    except ValueError as error:
        raise click.BadParameter(f"is not JSON: {error}", param_hint="--rule") from None


def _line(rule: dict[str, Any]) -> str:
    match = ", ".join(f"{name} {value}" for name, value in rule["match"].items()) or "every request"
    fault = ", ".join(f"{name} {value}" for name, value in rule["fault"].items() if value is not None)
    times = "always" if rule.get("times") is None else f"{rule['times']} times"
    skip = f" after {rule['skip']}" if rule.get("skip") else ""
    return f"{rule['id']}  {match}: {fault}, {times}{skip}; consumed {rule['consumed']}"
