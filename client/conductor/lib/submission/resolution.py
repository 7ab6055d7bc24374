"""From what was given to checked arguments: the table, then the rules between arguments.

The rules are those of wire reference 3.4. Everything that is wrong is reported in one error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from conductor.lib.exceptions import BadArgumentError, Problem
from conductor.lib.files.written import place_of
from conductor.lib.submission.arguments import ARGUMENTS, BY_NAME, CHOICES, Argument, Sourced, closest
from conductor.lib.values.kinds import Spot, Whole, shown


class Arguments:
    """A submission's arguments, checked: values by documented name, and the names that were given."""

    def __init__(self, values: Mapping[str, Any], given: frozenset[str]) -> None:
        self.values, self.given = values, given

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def resolve(args: Mapping[str, Any], config: Mapping[str, Sourced] | None = None) -> Arguments:
    """Check what was given and fill in the rest from the config and the defaults.

    None counts as not given. Raises BadArgumentError with everything that is wrong.
    """
    problems: list[Problem] = []
    own = _named(args, problems)
    configured = {name: sourced for name, sourced in (config or {}).items() if not _set_aside(name, own)}
    values: dict[str, Any] = {}
    for argument in ARGUMENTS:
        checked = _checked(argument, own, configured, problems)
        if checked is not None:
            values[argument.name] = checked
    for problem in _contradictions(values, own.keys() | configured.keys()):
        if not any(known.argument.startswith(problem.argument) for known in problems):
            problems.append(problem)
    if problems:
        raise BadArgumentError.listing(problems)
    return _completed(values)


def _named(args: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return what was given by documented name, without the Nones."""
    if not isinstance(args, Mapping):
        raise BadArgumentError.listing([Problem("args", shown(args), "a dictionary of arguments")])
    own: dict[str, Any] = {}
    spelling: dict[str, str] = {}
    for name, value in args.items():
        argument = BY_NAME.get(name)
        if argument is None:
            accepted = f"no such argument; {closest(name, BY_NAME)}"
            problems.append(Problem(str(name), shown(value), accepted, place_of(name)))
        elif value is not None and argument.name in own and own[argument.name] != value:
            accepted = f"one value: {spelling[argument.name]} is the same and was {shown(own[argument.name])}"
            problems.append(Problem(str(name), shown(value), accepted, place_of(name)))
        elif value is not None:
            own[argument.name], spelling[argument.name] = value, name
    return own


def _set_aside(name: str, own: Mapping[str, Any]) -> bool:
    return any(name in group and any(other in own for other in group) for group in CHOICES)


def _checked(
    argument: Argument, own: Mapping[str, Any], configured: Mapping[str, Sourced], problems: list[Problem]
) -> Any:
    """Return the checked value of an argument, from the call, the config or both; None if neither has it."""
    value = base = None
    if argument.name in own:
        value = argument.kind.check(own[argument.name], Spot(argument.name, problems))
    sourced = configured.get(argument.name)
    if sourced is not None and (argument.combines or argument.name not in own):
        base = argument.kind.check(sourced.value, Spot(argument.name, problems, sourced.source))
    if value is None or base is None:
        return base if value is None else value
    return {**base, **value} if isinstance(base, dict) else [*base, *value]


def _contradictions(values: Mapping[str, Any], names: Iterable[str]) -> Iterable[Problem]:
    """Yield what is wrong between arguments, in the order of wire reference 3.4.

    An argument that was given but did not pass its own check counts as there.
    """
    there = frozenset(names) - {name for name in ("upload_only",) if values.get(name) is False}
    yield from _work_contradictions(there)
    yield from _machine_contradictions(values, there)


def _work_contradictions(there: frozenset[str]) -> Iterable[Problem]:
    def without(*names: str, reason: str) -> Iterable[Problem]:
        return [Problem(name, "a value", f"nothing, {reason}") for name in names if name in there]

    def needed(*names: str, reason: str) -> Iterable[Problem]:
        return [
            Problem(name, "nothing", f"{BY_NAME[name].kind.accepts}, {reason}")
            for name in names
            if name not in there
        ]

    if "cmd" in there:
        yield from needed("frames", "output_path", reason="since cmd is given")
        yield from without("tasks_data", "upload_only", reason="since cmd is given")
    elif "tasks_data" in there:
        yield from needed("output_path", reason="since tasks_data is given")
        yield from without("upload_only", "frames", reason="since tasks_data is given")
    elif "upload_only" in there:
        if not there & {"upload_file", "upload_paths"}:
            yield Problem(
                "upload_paths", "nothing", "paths here or in upload_file, since upload_only is True"
            )
    else:
        yield Problem(
            "tasks_data", "nothing", "tasks, unless cmd and frames are given, or upload_only is True"
        )


def _machine_contradictions(values: Mapping[str, Any], there: frozenset[str]) -> Iterable[Problem]:
    if "instance_type" in there:
        for name in ("machine_flavor", "cores"):
            if name in there:
                yield Problem(name, shown(values.get(name)), "nothing, since instance_type is given")
        return
    if "cores" not in there:
        if "machine_flavor" in there:
            yield Problem("cores", "nothing", f"{Whole(1).accepts}, since machine_flavor is given")
        elif "upload_only" not in there:
            yield Problem("instance_type", "nothing", "a machine: this, or machine_flavor and cores")
        return
    flavor, cores = values.get("machine_flavor"), values.get("cores")
    least = {"highmem": 2, "highcpu": 2, "ultramem": 40}.get(flavor or "", 1)
    if cores is not None and cores < least:
        yield Problem("cores", shown(cores), f"{Whole(least).accepts}, since machine_flavor is {flavor}")


def _completed(values: dict[str, Any]) -> Arguments:
    """Fill in the defaults. ``cores`` alone means the standard flavor, as documented before July 2019."""
    given = frozenset(values)
    if "cores" in values:
        values.setdefault("machine_flavor", "standard")
    for argument in ARGUMENTS:
        if argument.name not in values:
            default = argument.default() if callable(argument.default) else argument.default
            values[argument.name] = default.copy() if isinstance(default, (dict, list)) else default
    return Arguments(values, given)
