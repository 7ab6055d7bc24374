"""Every error this library raises, split by what the caller does next.

::

    ConductorError
    ├── FixInputError               change what was given, then submit again
    │   ├── BadArgumentError        arguments of a submission (also a ValueError)
    │   ├── ConfigError             a setting in the config file, the environment or an argument (ValueError)
    │   ├── InvalidPathError        paths that cannot be uploaded (ValueError)
    │   ├── EnvironmentMergeError   packages that contradict each other (ValueError)
    │   ├── FileChangedError        a file was written to while it was being uploaded
    │   └── RefusedError            the server said no to this request
    ├── LoginError                  get a valid API key, then submit again
    ├── TryAgainError               nothing is wrong with the request: submit again later
    │   ├── UnreachableError        no answer came
    │   ├── BusyError               the server answered that it cannot do it now
    │   └── NotEndedError           the time to wait for jobs is over
    └── StopError                   do not submit again before looking
        ├── OutcomeUnknownError     the server may have made the job
        └── UnexpectedAnswerError   the answer is not one that the protocol knows

Each carries ``operation`` (a name such as ``jobs.create``, or None for what happened on this machine),
``status`` (the HTTP status, or None), ``attempts`` (requests made), ``acted``: whether the server
may have done what was asked, and ``advice``: what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import ClassVar, NamedTuple


class Acted(str, Enum):
    """Whether the server did what a failed call asked for."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


class ConductorError(Exception):
    """The root of the family.

    ``exit_code`` is what the ``conductor`` command ends with, ``advice`` what to do next, for every error of the kind.
    """

    exit_code: ClassVar[int] = 1
    advice: ClassVar[str] = "read the message"

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        status: int | None = None,
        attempts: int = 0,
        acted: Acted = Acted.NO,
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.status = status
        self.attempts = attempts
        self.acted = acted


class FixInputError(ConductorError):
    """What was given is wrong; the same again will fail again."""

    exit_code = 2
    advice = "change what was given, then submit again"


class Problem(NamedTuple):
    """One thing that is wrong with what was given.

    ``argument`` is its name with the place inside it (``tasks_data[0].command``), ``given`` a short
    rendering of the value, ``accepted`` what would be right, ``source`` where the value came from if
    not from the call itself.
    """

    argument: str
    given: str
    accepted: str
    source: str = ""

    def __str__(self) -> str:
        origin = f" (from {self.source})" if self.source else ""
        given = f"given {self.given}; " if self.given else ""
        return f"{self.argument}{origin}: {given}accepted: {self.accepted}"


class BadArgumentError(FixInputError, ValueError):
    """Arguments of a submission are wrong; ``problems`` lists every one. Nothing was sent."""

    def __init__(self, message: str, *, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    @classmethod
    def listing(cls, problems: Iterable[Problem]) -> BadArgumentError:
        """Return the error for these problems, one line for each."""
        listed = tuple(problems)
        lines = [str(problem) for problem in listed]
        if len(lines) == 1:
            return cls(f"wrong argument {lines[0]}", problems=listed)
        return cls("\n  ".join([f"{len(lines)} arguments are wrong:", *lines]), problems=listed)


class ConfigError(FixInputError, ValueError):
    """A setting cannot be used; the message names it and where its value came from."""


class InvalidPathError(FixInputError, ValueError):
    """Paths that cannot be uploaded; the message names each one and why."""


class EnvironmentMergeError(FixInputError, ValueError):
    """The environments of the packages cannot be merged (wire reference 5.1)."""


class FileChangedError(FixInputError):
    """A file is not what it was when its md5 was taken.

    ``expected`` and ``actual`` are md5s (base64), or descriptions of size and time where no md5 is known.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        expected: str = "",
        actual: str = "",
        operation: str | None = None,
        status: int | None = None,
        attempts: int = 0,
        acted: Acted = Acted.NO,
    ) -> None:
        super().__init__(message, operation=operation, status=status, attempts=attempts, acted=acted)
        self.path = path
        self.expected = expected
        self.actual = actual


class RefusedError(FixInputError):
    """The server understood the request and refused it (a 4xx that will not pass by itself)."""


class LoginError(ConductorError):
    """There is no API key, or the server does not accept it or its token."""

    exit_code = 3
    advice = "get a valid API key, then submit again"


class TryAgainError(ConductorError):
    """The request was right but could not be served now."""

    advice = "submit again later; what was uploaded is not sent again"


class UnreachableError(TryAgainError):
    """No answer came: no connection, or none that lasted, or none in time."""


class BusyError(TryAgainError):
    """The server answered that it cannot serve the request now (408, 429, 5xx)."""


class NotEndedError(TryAgainError):
    """Jobs have not ended in the time that was given to them; ``jids`` are theirs."""

    exit_code = 124  # as of timeout(1)

    def __init__(self, message: str, *, jids: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.jids = tuple(jids)

    @classmethod
    def after(cls, seconds: float, jids: Iterable[str]) -> NotEndedError:
        """Return the error for these jobs."""
        left = tuple(jids)
        named = f"job {left[0]} has" if len(left) == 1 else f"jobs {', '.join(left)} have"
        return cls(f"{named} not ended after {seconds:g} s", jids=left)


class StopError(ConductorError):
    """Look before doing anything else."""

    advice = "find out what answers at CONDUCTOR_URL before submitting again"


class OutcomeUnknownError(StopError):
    """A request that must not be repeated may have been acted on; the message says what to look for.

    ``candidates`` are the ids of jobs that may be the one; ``under_way`` says whether the server may still be at it.
    """

    exit_code = 4
    advice = "look for the job that the message describes; submit again only if there is none"

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        status: int | None = None,
        attempts: int = 0,
        acted: Acted = Acted.UNKNOWN,
        under_way: bool = True,
        candidates: Iterable[str] = (),
    ) -> None:
        super().__init__(message, operation=operation, status=status, attempts=attempts, acted=acted)
        self.under_way = under_way
        self.candidates = tuple(candidates)


class UnexpectedAnswerError(StopError):
    """The answer does not follow the protocol: another server, another version, or a proxy's page."""
