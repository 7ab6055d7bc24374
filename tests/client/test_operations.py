"""The operations that the client calls are those of the contract, and each is called in one way."""

from __future__ import annotations

import ast
import inspect
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

import conductor
from conductor.lib.wire.call import Call, Sent
from conductor.lib.wire.calls import Calls
from conductor.lib.wire.operations import OPERATIONS, Operation, Origin
from conductor.lib.wire.outcomes import Answer
from conductor.lib.wire.refusals import Attempted
from conductor.lib.wire.transport import Transport
from conductor_contracts.contract import load
from support.client_world import FixedTokens

DASHBOARD, API, SIGNED = "https://dashboard.test", "https://api.test", "https://store.test/a?signature=b"
# What only clients of other tools or of older times call.
NOT_CALLED = {
    *("jobs.get", "files.get_upload_urls_v1", "downloads.get", "downloads.fail", "companion.login"),
    *("fileio.next", "fileio.touch", "fileio.finish", "fileio.fail"),
}


class Sunk:
    """Takes nothing."""

    def missing(self) -> Mapping[str, str]:
        return {}

    def receive(self, status: int, headers: Mapping[str, str], blocks: Iterator[bytes]) -> None:
        raise AssertionError


class Recorder(Transport):
    """Sends nothing, and notes what was to be sent."""

    def __init__(self) -> None:
        super().__init__(environ={})
        self.calls: list[Call] = []

    def send(self, call: Call) -> Sent:
        self.calls.append(call)
        return Sent(Answer(200, CaseInsensitiveDict(), b"{}"), Attempted(call.operation, DASHBOARD, 1))


WORDS = {"about": "it", "advice": "it"}
ARGUMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "auth.token": (("id", "key", "user"), {}),
    "accounts.get": (("50/01",), {}),
    "jobs.create": ((b"{}",), {"key": "k", "advice": "it"}),
    "jobs.act": (("kill", ["00001"]), WORDS),
    "tasks.act": (("kill", "00001", ["001"]), WORDS),
    "tasks.list": (("jobLabel_eq_00001",), {}),
    "logs.get": (("00001", "001", 0), {}),
    "billing.get_usage": (("2026-11-01", "2026-11-02"), {}),
    "billing.get_storage_usage": (("2026-11-01", "2026-11-02"), {}),
    "files.get_upload_urls": (({"/a": ("md5", 1)}, None), {}),
    "files.complete_multipart": (("up", "md5", {1: "etag"}), {"about": "/a"}),
    "objects.put": ((SIGNED, io.BytesIO), {"size": 0, "md5": None, "about": "/a"}),
    "objects.put_part": ((SIGNED, io.BytesIO), {"size": 0, "about": "/a"}),
    "objects.get": ((SIGNED, Sunk()), {"about": "/a"}),
    "downloads.page": (("00001", None), {"limit": 2}),
    "downloads.next": ((None,), {"count": 2}),
    "downloads.report": (("d/1", "pending"), {"bytes_to_download": 0}),
    "uploads.next": ((None,), {}),
    "uploads.update": (("u/1",), {"bytes_to_send": 2, "bytes_sent": 1}),
    "uploads.finish": (("u/1", {"/a": "md5"}), {}),
    "uploads.fail": (("u/1", "gone"), {}),
}


def by_id(operation: Operation) -> str:
    return operation.id


def method_name(operation: Operation) -> str:
    return operation.id.replace(".", "_")


def called(operation: Operation) -> Call:
    """The call that the operation's method makes."""
    transport = Recorder()
    calls = Calls(transport, FixedTokens(), url=DASHBOARD, api_url=API)
    method: Callable[..., Sent] = getattr(calls, method_name(operation))
    positional, named = ARGUMENTS.get(operation.id, ((), {}))
    method(*positional, **named)
    (call,) = transport.calls
    return call


def test_every_operation_of_the_contract_is_called_or_known_not_to_be() -> None:
    ids = [operation.id for operation in OPERATIONS]
    assert len(set(ids)) == len(ids)
    missing = sorted(set(load().operations) - {*ids, *NOT_CALLED})
    assert not missing, (
        f"the client neither calls {missing} (lib/wire/operations.py), nor does NOT_CALLED say so"
    )
    gone = sorted({*ids, *NOT_CALLED} - set(load().operations))
    assert not gone, f"the contract has no operation {gone}"
    assert NOT_CALLED.isdisjoint(ids)


@pytest.mark.parametrize("operation", OPERATIONS, ids=by_id)
def test_an_operation_has_the_method_and_path_of_the_contract(operation: Operation) -> None:
    promised = load().operations[operation.id]
    assert operation.method == promised.method.upper()
    if operation.origin is not Origin.SIGNED:
        assert operation.path == promised.path


def test_the_calls_are_named_as_the_operations() -> None:
    methods = {name for name, _ in inspect.getmembers(Calls, inspect.isfunction) if not name.startswith("_")}
    assert methods == {method_name(operation) for operation in OPERATIONS}


@pytest.mark.parametrize("operation", OPERATIONS, ids=by_id)
def test_a_call_asks_for_its_own_operation_where_that_is_and_as_whom_it_may(operation: Operation) -> None:
    call = called(operation)
    assert call.operation is operation
    assert (call.tokens is not None) == operation.bearer
    origin = {Origin.DASHBOARD: DASHBOARD, Origin.API: API, Origin.SIGNED: SIGNED}[operation.origin]
    assert call.url.startswith(origin)
    assert "{" not in call.url.partition("?")[0]


@pytest.mark.parametrize("name", ["accounts.get", "uploads.update", "uploads.finish", "uploads.fail"])
def test_what_a_path_is_filled_with_cannot_lead_out_of_it(name: str) -> None:
    (operation,) = (operation for operation in OPERATIONS if operation.id == name)
    slashes = operation.path.count("/")
    assert called(operation).url.partition("://")[2].count("/") == slashes


def test_only_one_module_makes_calls() -> None:
    root = Path(conductor.__path__[0])
    makers = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Call":
                makers.add(path.relative_to(root).as_posix())
    assert makers == {"lib/wire/calls.py"}
