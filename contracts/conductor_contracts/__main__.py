"""The command ``conductor-contracts``, also as ``python -m conductor_contracts``."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command. Ctrl-C while its parts are still imported ends it without a traceback."""
    try:
        from conductor_contracts.cli import main as run

        run(prog_name="conductor-contracts")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
