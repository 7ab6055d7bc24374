"""The `conductor-mock` command.

`program` lists its commands, each of which is loaded when it is called, and what it needs when it runs: `serve`, `run`,
`demo` and `env`, and those of `data` about a data directory. `options` has what serving takes and the settings that
follow, `serving` the server of a command, `serve_together` several, `child` the command that runs beside one. Those
that ask a running server are in `conductor_mock.commands`.
"""

from __future__ import annotations

from conductor_mock.cli.program import main

__all__ = ["main"]
