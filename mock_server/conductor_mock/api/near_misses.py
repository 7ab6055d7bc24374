"""What a request was probably meant to be that fits no operation, or breaks the contract of one.

It is told in the answer, and kept for the journal (`recording`), which the log, the pages and the commands show.
"""

from __future__ import annotations

from typing import Any

from flask import current_app, g, request

from conductor_contracts import json_text
from conductor_contracts.contract import load_control
from conductor_contracts.json_text import JsonTextError
from conductor_contracts.near_miss import NearMiss, near_miss
from conductor_contracts.problems import Problem
from conductor_mock.api.bodies import raw_body
from conductor_mock.context import service, speaker
from conductor_mock.errors import Refusal

MAX_BODY = 1 << 20
"""Bytes of a body that are looked at where nobody asked for one."""


def no_such_route() -> NearMiss | None:
    """The operation that a request which fits no route was meant for, kept for the journal of whoever speaks."""
    if request.path.startswith("/_mock/"):
        return near_miss(load_control().operations.values(), request.method, request.path)
    account = _account()
    found = near_miss(
        service().contract.operations.values(),
        request.method,
        request.path,
        query=request.args.to_dict(),
        body=_json(),
        has_token=account is not None,
    )
    g.account_id, g.near_miss = account, found
    return found


def against_contract(refusal: Refusal) -> None:
    """Keep for the journal what the contract has against a request."""
    operation = service().contract.operations.get(request.endpoint or "")
    if refusal.breaks_contract and operation is not None:
        g.near_miss = NearMiss(operation, tuple(refusal.problems))


def differences(found: NearMiss | None, message: str, place: str) -> list[Problem]:
    """What differs, each at its place; the sentence as a whole at the place that no route fitted."""
    others = () if found is None else (each for each in found.differences if each.path != place)
    return [Problem(place, message), *others]


def methods_of_path() -> list[str]:
    """The methods that routes of this path have."""
    path = f"{request.path.rstrip('/')}/"
    return sorted(current_app.url_map.bind("").allowed_methods(path))


def _account() -> str | None:
    """Whose token the request carries; None if it carries none that is good."""
    try:
        account = speaker(request.headers.get("Authorization", "")).account_id
    except Refusal:
        return None
    return account if service().accounts.knows(account) else None


def _json() -> tuple[Any] | None:
    """The JSON of the request; None where it has none, or more than is worth a hint."""
    if not 0 < (request.content_length or 0) <= MAX_BODY:
        return None
    try:
        return (json_text.read(raw_body()),)
    except JsonTextError:
        return None
