"""The whole test suite on every Python that is supported and found: `make test-all`."""

from __future__ import annotations

import nox

nox.options.reuse_existing_virtualenvs = True


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after `--` are pytest's. A Python that is not installed is skipped, and said so."""
    session.install("--editable", ".[dev]")
    session.run("pytest", *(session.posargs or ["-n", "auto"]))
