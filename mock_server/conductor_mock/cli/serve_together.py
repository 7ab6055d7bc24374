"""Several processes behind one port, each with a server of its own on the same data."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from conductor_contracts.printing import echo
from conductor_mock.cli.serving import END_S, GRACE_S, announced, hint, open_server, serving
from conductor_mock.cli.unusable import UNUSABLE, Unusable
from conductor_mock.serving.server import AddressError, Server, bind
from conductor_mock.serving.signals import EndingSignals
from conductor_mock.settings import Settings
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.version import version
from conductor_mock.workers.link import Link
from conductor_mock.workers.parent import Workers, WorkersError
from conductor_mock.workers.serving import directory_of, together, work


def serve_together(
    count: int,
    settings: Settings,
    address: tuple[str, int],
    ready_file: Path | None,
    drain: float,
    options: Mapping[str, Any],
) -> None:
    """Serve with so many workers until a signal ends them. Raises Unusable."""
    try:
        bound = bind(*address)
    except AddressError as error:
        raise Unusable(str(error)) from None
    with directory_of(settings) as shared, EndingSignals() as signals:

        def open_own(own: Settings) -> AbstractContextManager[Server]:
            return serving(open_server(own, *address, bound=bound))

        def be_worker(link: Link) -> int:
            try:
                work(link, shared, open_own, drain_s=drain)
            except click.ClickException as error:
                error.show()
                return error.exit_code
            return 0

        workers = Workers(count, be_worker, signals, end_s=END_S + GRACE_S + drain)
        try:
            with together(workers, shared, is_shared=settings.shared) as server:
                if server is None:
                    return
                with announced(server, ready_file):
                    echo(f"conductor-mock {version()} at {server.url}, {count} workers", err=True)
                    echo(hint(server, ready_file, options), err=True)
                    workers.watch()
                    echo("stopping", err=True)
        except WorkersError as error:
            if error.code == UNUSABLE:  # it has said why
                sys.exit(UNUSABLE)
            raise Unusable(str(error)) from None
        except DatabaseError as error:
            raise Unusable(str(error)) from None
