"""The `conductor-mock` command.

`program` has its commands that serve, `data` those about a data directory, `options` what they take and the settings
that follow, `child` the command that runs beside a server. Those that ask a running server are in
`conductor_mock.commands`.
"""

from __future__ import annotations

from conductor_mock.cli.program import main

__all__ = ["main"]
