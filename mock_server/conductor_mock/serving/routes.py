"""Routes that are made fast: what builds a URL of one is compiled when a URL is first built.

Two thirds of the time in which an app begins went into that, for some hundred routes of which few are ever linked to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule


class LazyRule(Rule):
    """A route of werkzeug's whose builders are compiled when they are needed."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _build_unknown if append_unknown else _build


def _build(rule: Rule, **values: Any) -> tuple[str, str]:
    """Stands in the builder's place until it is first asked."""
    rule._build = Rule._compile_builder(rule, False).__get__(rule, None)
    return rule._build(**values)


def _build_unknown(rule: Rule, **values: Any) -> tuple[str, str]:
    """The same for the builder that puts what is left over into the query."""
    rule._build_unknown = Rule._compile_builder(rule, True).__get__(rule, None)
    return rule._build_unknown(**values)
