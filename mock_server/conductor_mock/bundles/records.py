"""Commands as lines of JSON, and back from a source that nobody vouches for.

A log is trusted, since only this server writes it; a bundle is not. What would harm the account later (a number where
a text belongs, a machine of speed 0) is refused here, what does not fit together is refused by the fold.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from conductor_contracts.contract import Contract
from conductor_mock.bundles.errors import BundleError
from conductor_mock.catalog import CatalogError, from_document
from conductor_mock.farm.actions import ACTIONS, FORCED
from conductor_mock.farm.clock import LAST_US, MAX_SPEED, ONE, Anchor
from conductor_mock.farm.commands import (
    AccountOpened,
    AttemptEnded,
    CatalogReplaced,
    ClockSet,
    Command,
    DownloadReported,
    JobChanged,
    JobCreated,
    JobsActed,
    OptionsChanged,
    RulesChanged,
    TaskForced,
    TasksActed,
)
from conductor_mock.farm.downloads import REPORTS
from conductor_mock.farm.execution import NO_FAULT_OF_ITS_OWN
from conductor_mock.farm.outcomes import RuleError, check_rule
from conductor_mock.farm.records import Record, UnknownCommandError, decode
from conductor_mock.farm.values import Machine, Options
from conductor_mock.wire import json_text
from conductor_mock.wire.json_text import MAX_DEPTH, JsonTextError

Json = dict[str, Any]

RUN_OUTCOMES = ("success", "failed", *NO_FAULT_OF_ITS_OWN)
_MAX_DEPTH = MAX_DEPTH + 4
"""A body that was accepted lies some levels deep in its command."""


def write_line(record: Record) -> bytes:
    """One record as a line. The hash of the account's key stays at home."""
    command = record.command
    if isinstance(command, AccountOpened):
        command = replace(command, key_sha256="")
    document = {
        "seq": record.seq,
        "t_us": record.t_us,
        "kind": command.kind,
        "v": command.version,
        "json": command.to_json(),
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def read_line(line: bytes, number: int, contract: Contract) -> Record:
    """The record of the `number`-th line. Raises BundleError."""
    try:
        document = json_text.read(line, max_depth=_MAX_DEPTH)
    except JsonTextError as error:
        raise BundleError(f"command {number} cannot be read: it {error}") from None
    problem = _wrong_line(document)
    if problem is not None:
        raise BundleError(f"command {number} cannot be read: {problem}")
    seq, t_us, kind = document["seq"], document["t_us"], document["kind"]
    if seq != number or isinstance(seq, bool) or not _is_time(t_us):
        raise BundleError(f"command {number} has the number {seq!r} and the time {t_us!r}")
    command = _command(kind, document["v"], document["json"], number)
    problem = _wrong(command, type(command)) or _invalid(command, contract)
    if problem is not None:
        raise BundleError(f"command {number} ({kind}): {problem}")
    return Record(seq, t_us, command)


def _wrong_line(document: Any) -> str | None:
    """What is wrong with the outer form of a line, if anything is."""
    if not isinstance(document, dict):
        return "it is no JSON object"
    missing = [name for name in ("seq", "t_us", "kind", "v", "json") if name not in document]
    if missing:
        return f"it has no {', '.join(missing)}"
    kind, version, data = document["kind"], document["v"], document["json"]
    if not isinstance(kind, str) or isinstance(version, bool) or not isinstance(version, int) or version < 1:
        return f"kind and v are {str(kind)[:40]!r} and {str(version)[:40]!r}"
    return None if isinstance(data, dict) else f"json must be an object, got {str(data)[:40]!r}"


def _command(kind: str, version: int, data: Json, number: int) -> Command:
    try:
        return decode(kind, version, data)
    except UnknownCommandError as error:
        raise BundleError(f"command {number}: {error}; it was saved by a newer conductor-mock") from None
    except (KeyError, TypeError) as error:  # all that taking its fields from a JSON object can raise
        raise BundleError(f"command {number} ({kind}) has other fields than it should: {error}") from None


def _wrong(value: Any, hint: Any, place: str = "") -> str | None:
    """What in `value` is not of the declared type, if anything is."""
    if is_dataclass(hint) and isinstance(hint, type):
        hints = _hints(hint)
        if not isinstance(value, hint):
            return f"{place} is no {hint.__name__}"
        problems = (
            _wrong(getattr(value, field.name), hints[field.name], f"{place}/{field.name}")
            for field in fields(hint)
        )
        return next(filter(None, problems), None)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        fits = any(_wrong(value, argument) is None for argument in arguments)
        return None if fits else _not_a(value, hint, place)
    if origin is tuple:
        if not isinstance(value, tuple):
            return _not_a(value, hint, place)
        return next(filter(None, (_wrong(item, arguments[0], place) for item in value)), None)
    plain = origin or hint
    if plain is Any:
        return None
    fits = isinstance(value, plain) and not (plain is int and isinstance(value, bool))
    return None if fits else _not_a(value, hint, place)


def _not_a(value: Any, hint: Any, place: str) -> str:
    return f"{place} must be {getattr(hint, '__name__', hint)}, got {str(value)[:40]!r}"


@cache
def _hints(cls: type) -> Mapping[str, Any]:
    return get_type_hints(cls)


def _invalid(command: Command, contract: Contract) -> str | None:
    """What in a command of the right types no request could have made, if anything is."""
    if isinstance(command, JobCreated):
        problems = contract.operations["jobs.create"].check_request(command.payload)
        if problems:
            return f"{problems[0].path} {problems[0].message}"
    check = _CHECKS.get(type(command))
    return check(command) if check else None


def _opened(command: AccountOpened) -> str | None:
    return _options(command.options) or _anchor(command.clock)


def _options(options: Options) -> str | None:
    fits = options.part_size >= 1 and options.fleet >= 0 and options.provider in ("gcs", "s3")
    return None if fits else "options out of their range"


def _anchor(anchor: Anchor) -> str | None:
    fits = _is_time(anchor.sim_us) and 0 <= anchor.speed_millionths <= MAX_SPEED * ONE
    return None if fits else "a clock out of its range"


def _machine(machine: Machine | None) -> str | None:
    if machine is None:
        return None
    numbers = (machine.cores, machine.price, machine.preemptible_price, machine.licence_price)
    return None if machine.speed >= 1 and min(numbers) >= 0 else "a machine out of its range"


def _rules(command: RulesChanged) -> str | None:
    try:
        checked = [check_rule(rule) for rule in command.rules]
    except RuleError as error:
        return f"a rule: {error}"
    return (
        None if checked == list(command.rules) else "a rule that is not in the form in which rules are kept"
    )


def _catalog(command: CatalogReplaced) -> str | None:
    try:
        if command.document is not None:
            from_document(command.document, "the bundle")
    except CatalogError as error:
        return f"the catalogue: {error}"
    return None


def _one_of(value: str, known: Any) -> str | None:
    return None if value in known else f"{value[:40]!r} is not known"


_CHECKS: Mapping[type, Callable[[Any], str | None]] = {
    AccountOpened: _opened,
    AttemptEnded: lambda command: _one_of(command.outcome, RUN_OUTCOMES),
    OptionsChanged: lambda command: _options(command.options),
    ClockSet: lambda command: _anchor(command.clock),
    JobCreated: lambda command: _machine(command.machine),
    JobChanged: lambda command: _machine(command.machine),
    JobsActed: lambda command: _one_of(command.action, ACTIONS),
    TasksActed: lambda command: _one_of(command.action, ACTIONS),
    TaskForced: lambda command: _one_of(command.status, FORCED),
    DownloadReported: lambda command: _one_of(command.status, REPORTS),
    RulesChanged: _rules,
    CatalogReplaced: _catalog,
}


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LAST_US
