"""`conductor-mock clock`: simulated time, shown and moved."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import click

from conductor_mock.commands.target import DefaultGroup, Target, target_options


class HoldsError(click.ClickException):
    """The job that was to end does not unless somebody acts; the text says what for."""

    exit_code = 3


def finite(_: click.Context, parameter: click.Parameter, value: float) -> float:
    """The number, which click takes for one in every range when it is none (`nan`)."""
    if not math.isfinite(value):
        raise click.BadParameter(f"must be a finite number, got {value}", param=parameter)
    return value


@click.group(cls=DefaultGroup)
def clock() -> None:
    """Show or move an account's simulated time. Without a command: show."""


@clock.command()
@target_options
def show(target: Target) -> None:
    """Show the time and the speed."""
    _show(target, target.ask("GET", "clock"))


@clock.command(context_settings={"ignore_unknown_options": True})  # -5 is a number, which the server refuses
@click.argument("seconds", type=float, callback=finite)
@target_options
def advance(target: Target, seconds: float) -> None:
    """Let SECONDS of simulated time pass at once."""
    _show(target, target.ask("POST", "clock", body={"advance": seconds}))


@clock.command(context_settings={"ignore_unknown_options": True})
@click.argument("factor", type=float, callback=finite)
@target_options
def speed(target: Target, factor: float) -> None:
    """Let FACTOR simulated seconds pass in each second; 0 is frozen."""
    _show(target, target.ask("POST", "clock", body={"speed": factor}))


@clock.command()
@target_options
def freeze(target: Target) -> None:
    """Let time stand still: the same as a speed of 0."""
    _show(target, target.ask("POST", "clock", body={"speed": 0}))


@clock.command()
@click.argument("what", metavar="idle|JID")
@target_options
def until(target: Target, what: str) -> None:
    """Let time pass until nothing is due unless somebody acts (idle), or until the job JID has ended.

    What does not go on by itself is said, with the command that makes it. Exit code 3 if that is the job JID.
    """
    is_idle = what == "idle"
    answer = target.ask("POST", "clock", body={"until": "idle" if is_idle else {"job": what}})
    sentences = list(map(_sentence, answer["holds"]))
    _show(target, answer, sentences if is_idle else ())
    if sentences and not is_idle:
        raise HoldsError("; ".join(sentences))


def _show(target: Target, answer: Any, more: Iterable[str] = ()) -> None:
    pace = "frozen" if answer["speed"] == 0 else f"speed {answer['speed']:g}"
    target.show(answer, [f"{answer['now']}, {pace} (account {answer['account']})", *more])


def _sentence(hold: dict[str, Any]) -> str:
    """What a job waits for, and what to type so that it does not."""
    return hold["message"] if hold["command"] is None else f"{hold['message']}: {hold['command']}"
