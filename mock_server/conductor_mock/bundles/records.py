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

from conductor_contracts import json_text
from conductor_contracts.contract import Contract, load_control
from conductor_contracts.json_text import MAX_DEPTH, JsonTextError
from conductor_mock.bundles.errors import BundleError
from conductor_mock.bundles.limits import LARGEST, path_problem
from conductor_mock.catalog import CatalogError, from_document
from conductor_mock.farm.clock import LAST_US, MAX_SPEED, ONE, Anchor
from conductor_mock.farm.commands import (
    AccountOpened,
    AttemptEnded,
    CatalogReplaced,
    ClockSet,
    Command,
    JobChanged,
    JobCreated,
    OptionsChanged,
    OutputsListed,
    RulesChanged,
    TaskForced,
)
from conductor_mock.farm.encoding import EncodingError, key_of
from conductor_mock.farm.execution import ENDS
from conductor_mock.farm.outcomes import check_rule
from conductor_mock.farm.records import Record, UnknownCommandError, decode
from conductor_mock.farm.refusals import InvalidRequestError
from conductor_mock.farm.statuses import FORCED
from conductor_mock.farm.values import Machine, Options

Json = dict[str, Any]

_LINE: Mapping[str, type] = {"seq": int, "t_us": int, "kind": str, "v": int, "json": dict}
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
        data = json_text.read(line, max_depth=_MAX_DEPTH)
    except JsonTextError as error:
        raise BundleError(f"command {number} cannot be read: it {error}") from None
    problem = _wrong_line(data)
    if problem:
        raise BundleError(f"command {number} cannot be read: {problem}")
    if data["seq"] != number or not _is_time(data["t_us"]):
        raise BundleError(f"command {number} has the number {data['seq']!r} and the time {data['t_us']!r}")
    try:
        record = Record(number, data["t_us"], decode(data["kind"], data["v"], data["json"]))
    except EncodingError as error:
        raise BundleError(f"command {number} cannot be read: {error}") from None
    except UnknownCommandError as error:
        raise BundleError(f"command {number}: {error}; it was saved by a newer conductor-mock") from None
    problem = _wrong(record.command, type(record.command)) or _invalid(record.command, contract)
    if problem:
        raise BundleError(f"command {number} ({record.command.kind}): {problem}")
    return record


def _wrong_line(data: Any) -> str | None:
    """What a line lacks of the form that `write_line` gives it, if anything."""
    if not isinstance(data, dict):
        return "it is no JSON object"
    for name, kind in _LINE.items():
        if not isinstance(data.get(name), kind):
            return f"its {name!r} is {str(data.get(name))[:40]!r}"
    return None


def _wrong(value: Any, hint: Any, place: str = "") -> str | None:
    """What in `value` is not of the declared type, if anything is."""
    if is_dataclass(hint) and isinstance(hint, type):
        hints = _hints(hint)
        if not isinstance(value, hint):
            return f"{place} is no {hint.__name__}"
        problems = (
            _wrong(getattr(value, field.name), hints[field.name], f"{place}/{key_of(field)}")
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
    if not fits:
        return _not_a(value, hint, place)
    return f"{place} is out of range" if plain is int and not -LARGEST <= value <= LARGEST else None


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
            return str(problems[0])
    check = CHECKS.get(type(command))
    return check(command) if check else None


def _opened(command: AccountOpened) -> str | None:
    return _options(command.options) or _anchor(command.clock)


def _options(options: Options) -> str | None:
    problems = load_control().schemas.check("Options", options.to_json())
    return f"options: {problems[0]}" if problems else None


def _anchor(anchor: Anchor) -> str | None:
    fits = _is_time(anchor.sim_us) and 0 <= anchor.speed_millionths <= MAX_SPEED * ONE
    return None if fits else "a clock out of its range"


def _machine(machine: Machine | None) -> str | None:
    if machine is None:
        return None
    numbers = (
        machine.cores,
        machine.price_micro_usd_per_hour,
        machine.preemptible_micro_usd_per_hour,
        machine.license_micro_usd_per_hour,
    )
    return None if machine.speed >= 1 and min(numbers) >= 0 else "a machine out of its range"


def _outputs(command: OutputsListed | AttemptEnded) -> str | None:
    files = command.files if isinstance(command, OutputsListed) else command.outputs
    for file in files:
        problem = path_problem(file.relative_path)
        if problem:
            return f"the output {file.relative_path[:80]!r} {problem}"
        if file.size < 0:
            return f"the output {file.relative_path[:80]!r} has {file.size} bytes"
    return None


def _ended(command: AttemptEnded) -> str | None:
    if command.outcome not in ENDS:
        return f"no run ends as {command.outcome}"
    return _outputs(command)


def _rules(command: RulesChanged) -> str | None:
    for rule in command.rules:
        for problem in load_control().schemas.check("OutcomeRule", rule):
            return f"a rule: {problem}"
        try:
            kept = check_rule(rule)
        except InvalidRequestError as error:
            return f"a rule: {error.path} {error}"
        if kept != rule:
            return "a rule that is not in the form in which rules are kept"
    return None


def _catalog(command: CatalogReplaced) -> str | None:
    try:
        if command.document is not None:
            from_document(command.document, "the bundle")
    except CatalogError as error:
        return f"the catalogue: {error}"
    return None


CHECKS: Mapping[type[Any], Callable[[Any], str | None]] = {
    AccountOpened: _opened,
    OptionsChanged: lambda command: _options(command.options),
    ClockSet: lambda command: _anchor(command.clock),
    JobCreated: lambda command: _machine(command.machine),
    JobChanged: lambda command: _machine(command.machine),
    AttemptEnded: _ended,
    OutputsListed: _outputs,
    TaskForced: lambda command: (
        None if command.status in FORCED else f"no task is forced to {command.status}"
    ),
    RulesChanged: _rules,
    CatalogReplaced: _catalog,
}
"""What the values of a command must be beyond their types, by the command's class."""


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LAST_US
