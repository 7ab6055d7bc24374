"""The journal as pages: what was asked of the service and answered."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any
from urllib.parse import urlencode

from conductor_contracts.problems import count
from conductor_mock.context import base_url, service
from conductor_mock.control.selection import account_meant
from conductor_mock.dashboard.shown import PAGE, account_name, chosen_number, chosen_values, show
from conductor_mock.errors import not_found

FILTERS = ("operation", "method", "path")
NOBODY = "nobody"
"""As `of`: what no account asked, such as a path that there is not."""
METHODS = ("GET", "POST", "PUT", "DELETE")
LEFT_OUT = frozenset({"host", "content-length", "connection", "accept-encoding"})
"""Headers that programs make themselves."""
_TOKEN = (
    "key = conductor_mock.account",
    'query = {"grant_type": "client_credentials", "scope": "user"}',
    'query |= {"client_id": key.client_id, "client_secret": key.private_key}',
    'token = requests.get(conductor_mock.url + "/api/oauth_jwt", params=query, timeout=10).json()["access_token"]',
)


def requests() -> str:
    """The newest requests of the account, a page of them."""
    query = chosen_values(*FILTERS)
    of = chosen_values("of")
    nobodys = of.get("of") == NOBODY
    found = service().journal.find(
        account=None if nobodys else account_meant(),
        nobodys=nobodys,
        operation=query.get("operation"),
        method=query.get("method"),
        path=query.get("path"),
        before=chosen_number("before"),
        limit=PAGE + 1,
    )
    shown = [_row(entry) for entry in reversed(found)][:PAGE]
    return show(
        "requests.html",
        account=account_name(),
        area="/requests",
        entries=shown,
        older=shown[-1]["id"] if len(found) > PAGE else None,
        query={**query, **of},
        nobodys=nobodys,
        operations=sorted(service().contract.operations),
        methods=METHODS,
    )


def exchange(number: int) -> str:
    """One request and its answer. Refuses (404) one that is not kept, or is another account's."""
    entry = service().journal.one(number, account=account_meant()) if number < 1 << 62 else None
    if entry is None:
        raise not_found(f"there is no request {number} in this account's journal, or it is not kept any more")
    return show(
        "request.html",
        account=account_name(),
        area="/requests",
        entry=_row(entry),
        query=entry["query"],
        headers=entry["headers"],
        body=_text(entry["body"]),
        answer=_text(entry["response"]),
        curl=_curl(entry),
        test=_test(entry),
    )


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": entry["id"],
        "time": entry["time"],
        "operation": entry["operation"] or "no operation",
        "method": entry["method"],
        "path": entry["path"],
        "status": entry["status"],
        "kind": "success" if entry["status"] < 400 else "failed",
        "duration": f"{entry['duration_ms']:.1f} ms",
        "warnings": entry["warnings"],
        "fault": entry.get("fault"),
        "near_miss": entry.get("near_miss"),
    }


def _text(body: dict[str, Any] | None) -> str:
    """A body for people: JSON is laid out."""
    if body is None:
        return ""
    text = body.get("text")
    if text is None:
        return f"{count(body.get('size', 0), 'byte')}, not kept"
    try:
        laid_out = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        laid_out = text
    return laid_out if body.get("whole", True) else f"{laid_out}\n... of {count(body['size'], 'byte')}"


def _curl(entry: dict[str, Any]) -> str:
    """The request as a command line; what was secret in it is still hidden."""
    pairs = [(name, value) for name, values in entry["query"].items() for value in values]
    url = f"{base_url()}{entry['path']}{f'?{urlencode(pairs)}' if pairs else ''}"
    words = ["curl", "-X", entry["method"], shlex.quote(url)]
    for name, value in entry["headers"].items():
        if name.lower() not in LEFT_OUT:
            words += ["-H", shlex.quote(f"{name}: {value}")]
    text = (entry["body"] or {}).get("text")
    return " ".join([*words, *(["--data-binary", shlex.quote(text)] if text else [])])


def _test(entry: dict[str, Any]) -> str:
    """The request as a test of the plug-in, with a token of its own where it had one."""
    kept = {name: value for name, value in entry["headers"].items() if name.lower() not in LEFT_OUT}
    bearer = next((name for name in kept if name.lower() == "authorization"), None)
    if bearer is not None:
        del kept[bearer]
    pairs = [(name, value) for name, values in entry["query"].items() for value in values]
    text = (entry["body"] or {}).get("text")
    arguments = [repr(entry["method"]), f"conductor_mock.url + {entry['path']!r}"]
    arguments += [f"params={pairs!r}"] if pairs else []
    signed = ['"Authorization": f"Bearer {token}"'] if bearer is not None else []
    shown = ", ".join(signed + [f"{name!r}: {value!r}" for name, value in kept.items()])
    arguments += [f"headers={{{shown}}}"] if shown else []
    arguments += [f"data={text!r}.encode()"] if text else []
    name = re.sub(r"\W", "_", entry["operation"] or "request", flags=re.ASCII)
    lines = ["import requests", "", "", f"def test_{name}_is_answered_{entry['status']}(conductor_mock):"]
    lines += [f"    {line}" for line in _TOKEN] if bearer is not None else []
    lines += ["    answer = requests.request("]
    lines += [f"        {argument}," for argument in (*arguments, "timeout=10")]
    return "\n".join([*lines, "    )", f"    assert answer.status_code == {entry['status']}"])
