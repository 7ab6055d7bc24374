"""Which paths a rule fits: a regular expression, matched in a time that grows with the path and no faster.

The expression is somebody's own, and every request of the account is held against it: with Python's `re` one that
backtracks, `(.*a){25}!`, stops the server. RE2 has neither lookaround nor backreferences, which makes it linear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAX_LENGTH = 500
"""Characters of an expression, in `control.yaml` too."""
MAX_PATH = 8192
"""Characters of a request's path: a longer one, which no operation has, fits no expression."""
_MEMORY_BYTES = 1 << 20


class PathPatternError(ValueError):
    """No expression that RE2 takes. The message says why."""


@dataclass(frozen=True)
class PathPattern:
    """An expression that a whole path must fit."""

    text: str
    _compiled: Any = field(repr=False, compare=False)

    @classmethod
    def compiled(cls, text: str) -> PathPattern:
        """Read an expression. Raises PathPatternError."""
        import re2  # 3 ms, and most servers have no rule

        options = re2.Options()
        options.log_errors = False  # they are told to whoever asked, not to the terminal
        options.max_mem = _MEMORY_BYTES
        options.never_capture = True
        try:
            return cls(text, re2.compile(text, options))
        except UnicodeEncodeError:
            raise PathPatternError("it holds what is no text") from None
        except re2.error as error:
            reason = error.args[0] if error.args else "it cannot be read"
            raise PathPatternError(
                reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            ) from None

    def fits(self, path: str) -> bool:
        """Whether the whole path does."""
        if len(path) > MAX_PATH:
            return False
        return self._compiled.fullmatch(path.encode("utf-8", "replace").decode()) is not None
