"""Why the farm refuses a command: three kinds, which the api turns into 404, 409 and 400."""

from __future__ import annotations


class NotThereError(LookupError):
    """There is no such job, task, upload or download in this account."""


class StateForbidsError(Exception):
    """The thing exists, and its state does not allow this; the message names the state and what made it so."""


class InvalidRequestError(ValueError):
    """A request that no state would allow, such as an action that does not exist; `path` points into its body."""

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path
