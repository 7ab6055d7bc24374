"""The ``conductor`` command, also as ``python -m conductor``, where another program of that name is installed."""

from __future__ import annotations

import gc
import sys

# What the extra brings, by the names they are imported by; the library itself does without.
CLI_PACKAGES = frozenset({"PIL", "click", "rich", "yaml"})
NEEDS_CLI = (
    "the command line needs packages that are not installed ({}): pip install 'conductor-mock-client[cli]'"
)
BAD_INPUT, INTERRUPTED = 2, 130
# New objects between two looks for cycles among them, Python's own being some hundreds: what is imported stays, and is
# looked through a hundred times in vain. So many objects take some megabytes.
YOUNG_OBJECTS = 50_000


def main() -> None:
    """Run the command. Where its packages are missing one line says how to get them, and the exit code is 2."""
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])  # of this process, which is the command's own
    try:
        from conductor.cli import main as run

        run()
    except KeyboardInterrupt:  # while its modules were still imported
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in CLI_PACKAGES:
            raise
        sys.stderr.write(f"conductor: {NEEDS_CLI.format(package)}\n")
        sys.exit(BAD_INPUT)


if __name__ == "__main__":
    main()
