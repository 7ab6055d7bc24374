"""The first process of a run: takes its limits, then becomes the shell of the command. Started as a file, alone.

    python -I -S launch.py START.JSON

`start.json` has `arguments`, `environment` and `limits` (a name of `resource` without RLIMIT_, and the most of it).
The limits are set here, and not between fork and exec of the server, which has threads.
"""

import json
import os
import resource
import signal
import sys


def main() -> None:
    with open(sys.argv[1], encoding="ascii") as file:  # noqa: PTH123 - nothing more is imported than must be
        start = json.load(file)
    for name, most in start["limits"].items():
        which = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(which)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))
    os.umask(0o022)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what threads of the server block is no matter of a task
    arguments = start["arguments"]
    os.execve(arguments[0], arguments, start["environment"])  # noqa: S606 - it becomes the shell


if __name__ == "__main__":
    main()
