"""The `conductor-mock` command, also as `python -m conductor_mock`: imported in no time, so that Ctrl-C has its way."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command. Ctrl-C while its parts are still imported ends it without a traceback."""
    try:
        from conductor_mock.cli import main as run

        run(prog_name="conductor-mock")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
