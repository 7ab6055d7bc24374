"""`conductor-mock faults`: what the server is to do wrong."""

from __future__ import annotations

import json
from typing import Any

import click
from click.core import ParameterSource

from conductor_mock.commands.target import DefaultGroup, Target, target_options

_MATCH = ("operation", "method", "path")
_COUNTS = ("times", "skip")


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
@click.option(
    "--kind",
    default="status",
    show_default=True,
    help="What goes wrong: status, delay, stall, reset, lost_answer, truncate, corrupt or garble.",
)
@click.option("--status", type=int, help="The status to answer with.  [default: 503]")
@click.option("--retry-after", type=int, help="With status: seconds for the Retry-After header.")
@click.option("--seconds", type=float, help="With delay and stall: for how long.")
@click.option("--bytes", type=int, help="With truncate and corrupt: how many.")
@click.option("--read-body/--no-read-body", default=None, help="With reset: after the body, or before.")
@click.option("--times", type=int, help="How often.  [default: always]")
@click.option("--skip", type=int, help="Requests that are served before.")
@click.option("--rule", help="A whole rule as JSON, instead of the other options.")
@target_options
def add(target: Target, rule: str | None, kind: str, **options: Any) -> None:
    """Add a rule: requests that fit are refused, or their answers broken."""
    given = {name: value for name, value in options.items() if value is not None}
    named = click.get_current_context().get_parameter_source("kind") is not ParameterSource.DEFAULT
    if rule is not None and (given or named):
        raise click.UsageError("--rule stands alone: say the rest in it")
    answer = target.ask("POST", "faults", body=_made(kind, given) if rule is None else _parsed(rule))
    target.show(answer, [_line(answer)])


@faults.command()
@target_options
def clear(target: Target) -> None:
    """Remove every rule of the account."""
    target.ask("DELETE", "faults")
    target.show({"faults": []}, ["no faults any more"])


def _made(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    fault = {name: value for name, value in given.items() if name not in (*_MATCH, *_COUNTS)}
    counts: dict[str, Any] = {name: given[name] for name in _COUNTS if name in given}
    return {
        "match": {name: given[name] for name in _MATCH if name in given},
        "fault": {"kind": kind, **fault},
        **counts,
    }


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
