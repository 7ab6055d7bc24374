"""Turning what a request came to into the error that says what to do next."""

from __future__ import annotations

import http
from typing import NamedTuple

from conductor.lib.exceptions import (
    Acted,
    BusyError,
    ConductorError,
    LoginError,
    OutcomeUnknownError,
    RefusedError,
    StopError,
    UnexpectedAnswerError,
    UnreachableError,
)
from conductor.lib.wire.operations import AUTH_TOKEN, Operation, Origin
from conductor.lib.wire.outcomes import Answer, Failure, FailureKind
from conductor.lib.wire.redaction import host_of, scrub
from conductor.lib.wire.retry import Doubt, not_acted_on

_CREDENTIALS = "the key is read from CONDUCTOR_API_KEY, or from the file that CONDUCTOR_API_KEY_PATH names"


class Attempted(NamedTuple):
    """The call that failed: what it was, about what, to which host, how often it was sent.

    ``advice`` says what to look at where repeating may do harm. ``doubt`` is what all attempts
    together leave open: that the last one did nothing says nothing of those before.
    """

    operation: Operation
    host: str
    attempts: int
    about: str = ""
    advice: str = ""
    doubt: Doubt = Doubt.NONE
    secrets: tuple[str, ...] = ()


def error_for(outcome: Answer | Failure, attempted: Attempted) -> ConductorError:
    """Return the error to raise for an outcome that is not a success."""
    if isinstance(outcome, Failure):
        error = _error_for_failure(outcome, attempted)
    else:
        error = _error_for_answer(outcome, attempted)
    if attempted.doubt is not Doubt.NONE and error.acted is Acted.NO and attempted.operation.changes_state:
        return _in_doubt(error, attempted)
    return error


def _in_doubt(error: ConductorError, attempted: Attempted) -> ConductorError:
    """Return the error for a last attempt that certainly did nothing, after one that may have done something."""
    if attempted.operation.repeatable:
        error.acted = Acted.UNKNOWN
        return error
    text = f"{error}; an attempt before that one may have been acted on".removeprefix(
        f"{attempted.operation.id}: "
    )
    return _unknown(attempted, text, Acted.UNKNOWN, error.status)


def _error_for_failure(failure: Failure, attempted: Attempted) -> ConductorError:
    operation = attempted.operation
    text = f"no answer from {attempted.host} after {_times(attempted.attempts)}: {failure}"
    if failure.kind is FailureKind.TLS:
        return _make(
            StopError,
            attempted,
            f"{text}; check CONDUCTOR_URL, and REQUESTS_CA_BUNDLE for a private authority",
        )
    if failure.kind is FailureKind.INVALID:
        return _make(StopError, attempted, text)
    if not failure.may_have_been_sent:
        where = (
            "" if operation.origin is Origin.SIGNED else "; check that the service runs, and CONDUCTOR_URL"
        )
        return _make(UnreachableError, attempted, f"{text}; nothing was sent{where}")
    if not operation.repeatable:
        return _unknown(attempted, text, Acted.UNKNOWN)
    return _make(UnreachableError, attempted, text, acted=_perhaps(operation))


def _error_for_answer(answer: Answer, attempted: Attempted) -> ConductorError:
    status = answer.status
    message = answer.message()
    reason = f"{attempted.host} answered {_name(status)}{f': {message}' if message else ''}"
    if attempted.attempts > 1:
        reason += f" ({_times(attempted.attempts)})"
    signed = attempted.operation.origin is Origin.SIGNED
    if status in (401, 403) and not signed:
        return _make(LoginError, attempted, f"{reason}; {_CREDENTIALS}", status)
    if attempted.operation == AUTH_TOKEN and status == 400:
        return _make(LoginError, attempted, f"{reason}; {_CREDENTIALS}", status)
    if status in (401, 403):
        return _make(RefusedError, attempted, f"{reason}; the signed URL may have expired", status)
    if status in (408, 429) or not_acted_on(answer):
        return _make(BusyError, attempted, reason, status)
    if 400 <= status < 500:
        where = (
            "" if signed or not answer.is_page else "; that is a page: does CONDUCTOR_URL name the service?"
        )
        return _make(RefusedError, attempted, f"{reason}{where}", status)
    if 300 <= status < 400 and status != 303:
        return _make(UnexpectedAnswerError, attempted, f"{reason}{_redirect(answer)}", status)
    if not attempted.operation.repeatable:
        return _unknown(attempted, reason, Acted.UNKNOWN, status)
    if status >= 500 and status not in (501, 505):
        return _make(BusyError, attempted, reason, status, _perhaps(attempted.operation))
    return _make(UnexpectedAnswerError, attempted, reason, status, _perhaps(attempted.operation))


def unexpected(reason: str, answer: Answer, attempted: Attempted) -> ConductorError:
    """Return the error for a success whose body breaks the protocol."""
    if not attempted.operation.repeatable:
        return _unknown(
            attempted,
            f"{attempted.host} answered {_name(answer.status)}, but {reason}",
            Acted.YES,
            answer.status,
        )
    acted = Acted.YES if attempted.operation.changes_state else Acted.NO
    text = f"the answer of {attempted.host} breaks the protocol: {reason}"
    if attempted.operation.origin is not Origin.SIGNED:
        text += "; check that CONDUCTOR_URL names the service, and that no proxy answers in its place"
    return _make(UnexpectedAnswerError, attempted, text, answer.status, acted)


def _unknown(attempted: Attempted, text: str, acted: Acted, status: int | None = None) -> ConductorError:
    known = "it was acted on" if acted is Acted.YES else "it is unknown whether it was acted on"
    advice = f"; {attempted.advice}" if attempted.advice else ""
    error = _make(OutcomeUnknownError, attempted, f"{text}; {known}{advice}", status, acted)
    if isinstance(error, OutcomeUnknownError):
        error.under_way = acted is not Acted.YES and attempted.doubt is Doubt.OPEN
    return error


def _make(
    kind: type[ConductorError],
    attempted: Attempted,
    text: str,
    status: int | None = None,
    acted: Acted = Acted.NO,
) -> ConductorError:
    about = f" of {attempted.about}" if attempted.about else ""
    return kind(
        f"{attempted.operation.id}{about}: {scrub(text, attempted.secrets)}",
        operation=attempted.operation.id,
        status=status,
        attempts=attempted.attempts,
        acted=acted,
    )


def _perhaps(operation: Operation) -> Acted:
    return Acted.UNKNOWN if operation.changes_state else Acted.NO


def _redirect(answer: Answer) -> str:
    target = answer.headers.get("Location", "")
    where = f" to {host_of(target)}" if target.startswith("http") else ""
    return f"; redirects{where} are not followed: set CONDUCTOR_URL to where the service really is"


def _name(status: int) -> str:
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _times(attempts: int) -> str:
    return "1 attempt" if attempts == 1 else f"{attempts} attempts"
