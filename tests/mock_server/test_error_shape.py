"""One error shape on every route and for every status that can be driven."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa
from hypothesis import assume, given
from hypothesis import strategies as st
from werkzeug.routing import Rule

from conductor_contracts.problems import Problem
from conductor_mock import errors
from conductor_mock.store.accounts import Accounts
from conductor_mock.store.trouble import reason
from support.examples import examples
from support.server import ApiCaller, Fake, running

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


def routes(fake: Fake) -> Iterator[tuple[Rule, str]]:
    """Every route with a path that it takes."""
    for rule in fake.app.url_map.iter_rules():
        yield rule, re.sub(r"<(\w+:)?\w+>", "1", rule.rule)


def refused(caller: ApiCaller, method: str, path: str, **options: Any) -> int | None:
    """The status of a call, if it is a refusal; the caller has checked its shape."""
    answer = caller.request(method, path, **options)
    if answer.status < 400:
        return None
    body = answer.json()
    assert list(body) == ["status", "message", "errors"]
    assert body["status"] == "error"
    assert body["message"]
    for detail in body["errors"]:
        assert list(detail) == ["path", "message"]
    assert answer.headers["Content-Type"] == "application/json"
    assert b"Traceback" not in answer.content
    return answer.status


def test_every_route_refuses_in_the_one_shape(fake: Fake) -> None:
    """Without a token, with a wrong method, with a body that is no JSON: each way on each route."""
    statuses = set()
    callers = (fake.anonymous(), fake.caller())
    for _, path in routes(fake):
        for method in METHODS:
            for options in ({}, {"data": b"{"}, {"headers": {"Transfer-Encoding": "chunked"}, "data": b"x"}):
                statuses |= {refused(caller, method, path, **options) for caller in callers}

    assert {400, 401, 403, 404, 405} <= statuses


def test_a_wrong_method_names_the_right_ones(fake: Fake) -> None:
    adapter = fake.app.url_map.bind("127.0.0.1")
    allowed = {path: set(adapter.allowed_methods(path)) for _, path in routes(fake)}
    caller = fake.caller()
    for path, methods in allowed.items():
        for method in set(METHODS) - methods:
            answer = caller.request(method, path)
            assert answer.status == 405
            assert set(answer.headers["Allow"].split(", ")) == methods
            assert "allowed: " in answer.message


@pytest.mark.parametrize(
    ("method", "path", "closest"),
    [
        ("POST", "/job/", "POST /jobs/ (jobs.create)"),
        ("POST", "/api/v1/jobs/create", "POST /jobs/ (jobs.create)"),
        ("GET", "/api/v1/ee/package", "GET /api/v1/ee/packages (packages.list)"),
        (
            "POST",
            "/api/v2/files/get_upload_url",
            "POST /api/v2/files/get_upload_urls (files.get_upload_urls)",
        ),
        ("GET", "/api/oauth_jwtt", "GET /api/oauth_jwt (auth.token)"),
        ("GET", "/quite/another/thing", None),
    ],
)
def test_a_route_that_does_not_exist_names_the_closest(
    fake: Fake, method: str, path: str, closest: str | None
) -> None:
    answer = fake.anonymous().request(method, path)

    assert answer.status == 404
    assert answer.message.startswith(f"there is no {method} {path}")
    assert (f"the closest is {closest}" in answer.message) == (closest is not None)
    (entry,) = fake.anonymous().get("/_mock/requests", query={"account": "*"}).json()["requests"]
    assert entry["warnings"] == [answer.message]


FAILURES = {
    "a full disk": (OSError(errno.ENOSPC, "full"), 507),
    "a full quota": (OSError(errno.EDQUOT, "full"), 507),
    "a full database": (
        sa.exc.OperationalError("", {}, sqlite3.OperationalError("database or disk is full")),
        507,
    ),
    "a full journal": (sqlite3.OperationalError("database or disk is full"), 507),
    "a locked database": (
        sa.exc.OperationalError("", {}, sqlite3.OperationalError("database is locked")),
        503,
    ),
    "a damaged database": (
        sa.exc.DatabaseError("", {}, sqlite3.DatabaseError("database disk image is malformed")),
        503,
    ),
    "no connection left in the pool": (sa.exc.TimeoutError("QueuePool limit of size 3 reached"), 503),
    "a damaged journal": (sqlite3.DatabaseError("file is not a database"), 503),
    **{
        name: (OSError(getattr(errno, name), "refused", "/a/secret/place"), 503)
        for name in ("EIO", "EROFS", "EMFILE", "ENFILE", "EACCES", "EPERM", "ESTALE", "ENODEV")
    },
}


@pytest.mark.parametrize(("failure", "status"), FAILURES.values(), ids=FAILURES.keys())
def test_what_fails_below_is_told_in_the_one_shape(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, failure: Exception, status: int
) -> None:
    caller = fake.caller()

    def fail(*_: object) -> NoReturn:
        raise failure

    monkeypatch.setattr(Accounts, "open", fail)

    assert refused(caller, "GET", "/api/v1/jobs") == status
    assert (
        refused(caller, "POST", "/_mock/clock", data=b'{"advance": 1}', query={"account": "studio"}) == status
    )

    if status == 503:
        told = caller.get("/api/v1/jobs").message
        assert "report" not in told
        assert "/a/secret/place" not in told
        if isinstance(failure, OSError):
            assert errno.errorcode[failure.errno or 0] in told or "no more files" in told


@given(st.sampled_from([kind for kind in vars(sqlite3).values() if isinstance(kind, type)]))
def test_an_error_of_the_database_is_its_own_or_a_defect_of_ours_whoever_wraps_it(kind: type) -> None:
    assume(issubclass(kind, sqlite3.Error))
    error = kind("no more")
    ours = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
    is_ours = issubclass(kind, (*ours, sqlite3.NotSupportedError)) or not issubclass(
        kind, sqlite3.DatabaseError
    )
    expected = None if is_ours else "its database refuses (no more)"

    assert reason(error) == expected
    assert reason(sa.exc.DBAPIError("", {}, error)) == expected


def test_a_database_that_cannot_be_reached_tells_nobody_where_it_is() -> None:
    class DatabaseError(Exception):
        """As psycopg has it: without a state where PostgreSQL said nothing."""

        sqlstate: str | None = None

    error = DatabaseError('connection to server at "db.studio.example" (10.1.2.3), port 5432 failed')
    assert reason(sa.exc.OperationalError("", {}, error)) == "its database cannot be reached"
    for said in ("sorry, too many clients already", 'too many connections for role "farm"'):
        full = DatabaseError(f'connection to server at "db.studio.example" failed: FATAL:  {said}')
        assert reason(sa.exc.OperationalError("", {}, full)) == "its database has no connection left for it"
    error.sqlstate = "25006"
    assert "db.studio.example" in str(reason(sa.exc.OperationalError("", {}, error)))
    assert reason(sa.exc.TimeoutError()) == "its database has no connection left for it"


@given(st.sampled_from(sorted(errno.errorcode)))
def test_an_error_of_the_system_is_told_by_its_name_or_is_a_defect(code: int) -> None:
    why = reason(OSError(code, "refused"))

    if code in (errno.ENOENT, errno.EINVAL, errno.EBADF, errno.EEXIST, errno.EPIPE, errno.ECONNRESET):
        assert why is None, "these are what a program of ours did, or its client"
    if why is not None:
        assert errno.errorcode[code] in why or code in (errno.EMFILE, errno.ENFILE)


def test_a_defect_is_told_in_the_one_shape_without_its_traceback(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> NoReturn:
        raise ZeroDivisionError("the secret of the inside")

    token = fake.caller().token
    monkeypatch.setattr(Accounts, "open", fail)
    response = fake.app.test_client().get("/api/v1/jobs", headers={"Authorization": f"Bearer {token}"})
    body = response.get_json()

    assert response.status_code == 500
    assert list(body) == ["status", "message", "errors"]
    assert "defect of conductor-mock: ZeroDivisionError" in body["message"]
    assert "secret" not in response.get_data(as_text=True)
    assert "the secret of the inside" in caplog.text  # for whoever reads the server's log


def test_a_journal_that_takes_nothing_changes_no_answer(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caller = fake.caller()

    def fail(*_: object, **__: object) -> NoReturn:
        raise sqlite3.OperationalError("database or disk is full")

    assert len(fake.service.journal.find()) == 1
    with monkeypatch.context() as patch:
        patch.setattr(type(fake.service.journal), "_insert", fail)
        assert caller.submit().status == 201
        assert len(fake.service.journal.find()) == 1

    assert len(caller.jobs()) == 1
    assert len(fake.service.journal.find()) == 2, "the next ones are taken again"
    (said,) = [
        one for one in caplog.records if "the journal took no entry for POST /jobs/" in one.getMessage()
    ]
    assert said.exc_info is None, "no traceback for each request while a disk is full"


REFUSALS = [
    errors.bad_request("x"),
    errors.unauthorized("x"),
    errors.forbidden("x"),
    errors.not_found("x"),
    errors.too_large(5),
    errors.unsupported_media_type("a/b", None),
    errors.unavailable("x"),
    errors.disk_full(),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: str(refusal.status))
def test_each_kind_of_refusal_has_the_shape_of_the_contract(refusal: errors.Refusal) -> None:
    with running() as fake:
        assert fake.service.contract.check_error(refusal.to_json()) == []


@examples(15, full=50)
@given(st.text(), st.text())
def test_a_problem_may_hold_any_text(path: str, message: str) -> None:
    body = errors.bad_request("x", Problem(path, message)).to_json()

    assert body["errors"] == [{"path": path, "message": message}]


def test_an_options_call_grants_nothing_to_other_origins(fake: Fake) -> None:
    for _, path in routes(fake):
        answer = fake.caller().request("OPTIONS", path, headers={"Origin": "http://evil.example"})
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
