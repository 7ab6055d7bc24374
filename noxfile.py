"""The test suite on every Python that is supported and found: `make test-all`."""

from __future__ import annotations

import nox

nox.options.reuse_existing_virtualenvs = True

# What the client's tests need beside the client: the extra `dev` belongs to the other distribution, which has no 3.9.
CLIENT_TEST_PACKAGES = (
    "hypothesis>=6.100",
    "mypy>=1.13",
    "pytest>=8",
    "pytest-randomly>=3.15",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "responses>=0.25",
    "types-pyyaml",
    "types-requests",
)


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after `--` are pytest's. A Python that is not installed is skipped, and said so."""
    session.run("python", "-m", "pip", "uninstall", "-qq", "--yes", "conductor-mock")  # see the Makefile
    session.install("--editable", "./client[cli]", "--editable", ".[dev]")
    session.run("pytest", *(session.posargs or ["-n", "auto"]))


@nox.session(python="3.9")
def client(session: nox.Session) -> None:
    """Check and run the client alone where the server does not go: its types, and the tests that need only it."""
    session.install("--editable", "./client[cli]", *CLIENT_TEST_PACKAGES)
    # The last type stubs of requests for this Python leave methods untyped that later ones have.
    session.run("mypy", "--python-version", "3.9", "--allow-untyped-calls", "client")
    session.run("pytest", *(session.posargs or ["-n", "auto"]), "tests/client")
