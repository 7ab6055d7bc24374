"""`conductor-mock faults`: what the server is to do wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from conductor_contracts.problems import count
from conductor_mock.commands.given import json_value, named_value
from conductor_mock.commands.target import DefaultGroup, Target, target_options
from conductor_mock.faults.fault import Fault
from conductor_mock.faults.kinds import KINDS
from conductor_mock.faults.options import default_of, meaning_of, type_of
from conductor_mock.faults.reference import options_by_name, spelling

F = TypeVar("F", bound=Callable[..., Any])

_MATCH = ("operation", "method", "path", "body")
_CONDITIONS = ("times", "skip", "every", "probability", "seed", "until", "from_byte")
_TYPES: Mapping[str, type] = {"integer": int, "number": float, "boolean": bool}


@click.group(cls=DefaultGroup)
def faults() -> None:
    """List, add or clear the faults of an account. Without a command: list."""


@faults.command("list")
@target_options
def show(target: Target) -> None:
    """List the rules, and how often each was consumed."""
    answer = target.ask("GET", "faults")
    target.show(answer, map(_line, answer["faults"]) if answer["faults"] else ["no faults"])


def _fault_options(command: F) -> F:
    """Give a command the options of every kind of fault; one that several kinds have says what it is to each."""
    for name, uses in reversed(options_by_name().items()):
        words, of_type = spelling(name), _TYPES[type_of(uses[0][1])]
        if of_type is bool:
            words = f"{words}/--no-{words.removeprefix('--')}"
        command = click.option(words, name, type=of_type, default=None, help=_help(uses))(command)
    return command


def _help(uses: Sequence[tuple[type[Fault], Field[Any]]]) -> str:
    kinds: dict[str, list[str]] = {}
    for kind, option in uses:
        kinds.setdefault(f"{meaning_of(option)} (default: {default_of(option)})", []).append(kind.kind)
    return " ".join(f"With {', '.join(names)}: {meaning}." for meaning, names in kinds.items())


@faults.command()
@click.option("--operation", help="An operation of the contract, such as jobs.create.")
@click.option("--method", help="A method; with --path.")
@click.option("--path", help="A regular expression that the whole path must fit.")
@click.option(
    "--body",
    "body_text",
    metavar="POINTER=VALUE",
    help="A place in the request's JSON and what must be there, such as /project=demo; VALUE is JSON, else text.",
)
@click.option(
    "--kind",
    default="status",
    show_default=True,
    help=f"What goes wrong: {', '.join(kind.kind for kind in KINDS)}.",
)
@_fault_options
@click.option("--times", type=int, help="How often.  [default: always]")
@click.option("--skip", type=int, help="Requests that are served before.")
@click.option("--every", type=int, help="Behind those only each so-many-th.  [default: 1]")
@click.option("--probability", type=float, help="How probable it is for each of these.  [default: 1]")
@click.option("--seed", type=int, help="What the probability is drawn with.  [default: 1]")
@click.option("--until", metavar="TIME", help="The time of the account's clock from which on all are served.")
@click.option("--from-byte", type=int, help="Where it begins: a byte of the answer, or of the request.")
@click.option("--rule", help="A whole rule as JSON, instead of the other options.")
@target_options
def add(target: Target, rule: str | None, kind: str, body_text: str | None, **options: Any) -> None:
    """Add a rule: requests that fit are refused, or their answers broken."""
    given = {name: value for name, value in options.items() if value is not None}
    if body_text is not None:
        pointer, value = named_value("--body", body_text, "POINTER=VALUE, such as /project=demo")
        given["body"] = {"pointer": pointer, "value": value}
    named = click.get_current_context().get_parameter_source("kind") is not ParameterSource.DEFAULT
    if rule is not None and (given or named):
        raise click.UsageError("--rule stands alone: say the rest in it")
    answer = target.ask(
        "POST", "faults", body=_made(kind, given) if rule is None else json_value("--rule", rule)
    )
    target.show(answer, [_line(answer)])


@faults.command()
@target_options
def clear(target: Target) -> None:
    """Remove every rule of the account."""
    target.ask("DELETE", "faults")
    target.show({"faults": []}, ["no faults any more"])


def _made(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    fault = {name: value for name, value in given.items() if name not in (*_MATCH, *_CONDITIONS)}
    return {
        "match": {name: given[name] for name in _MATCH if name in given},
        "fault": {"kind": kind, **fault},
        **{name: given[name] for name in _CONDITIONS if name in given},
    }


def _line(rule: dict[str, Any]) -> str:
    match = {name: value for name, value in rule["match"].items() if name != "body"}
    words = [f"{name} {value}" for name, value in match.items()]
    if "body" in rule["match"]:
        body = rule["match"]["body"]
        words.append(f"body {body['pointer']}={json.dumps(body['value'], ensure_ascii=False)}")
    fault = ", ".join(f"{name} {value}" for name, value in rule["fault"].items() if value is not None)
    counts = f"seen {rule['seen']}, consumed {rule['consumed']}"
    return f"{rule['id']}  {', '.join(words) or 'every request'}: {fault}, {_conditions(rule)}; {counts}"


def _conditions(rule: dict[str, Any]) -> str:
    said = ["always" if rule["times"] is None else count(rule["times"], "time")]
    if rule["skip"]:
        said.append(f"after {rule['skip']}")
    if rule["every"] > 1:
        said.append(f"one of {rule['every']}")
    if rule["probability"] < 1:
        said.append(f"with probability {rule['probability']:g} (seed {rule['seed']})")
    if rule["until"]:
        said.append(f"until {rule['until']}")
    if rule["from_byte"]:
        said.append(f"from byte {rule['from_byte']}")
    return " ".join(said)
