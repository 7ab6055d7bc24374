"""The first process of a run: takes its limits, then becomes the shell of the command. Started as a file, alone.

    python -I -S launch.py START.JSON

`start.json` has `arguments`, `options` (handed to the program by `--args`: what it starts can read its command line),
`environment` and `limits` (a name of `resource` without RLIMIT_, and the most of it).
The limits are set here, and not between fork and exec of the server, which has threads.
"""

import json
import os
import resource
import signal
import sys


def unseen(options: list[str]) -> int:
    """A file without a name that has the options, and is inherited. Made before the limits, which are the task's."""
    number = os.memfd_create("options", 0)
    with open(number, "wb", closefd=False) as file:
        file.write(b"".join(os.fsencode(option) + b"\0" for option in options))
    os.lseek(number, 0, os.SEEK_SET)
    return number


def main() -> None:
    with open(sys.argv[1], encoding="ascii") as file:  # noqa: PTH123 - nothing more is imported than must be
        start = json.load(file)
    arguments = start["arguments"]
    if start["options"]:
        arguments[1:1] = ["--args", str(unseen(start["options"]))]
    for name, most in start["limits"].items():
        which = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(which)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))
    os.umask(0o022)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what threads of the server block is no matter of a task
    os.execve(arguments[0], arguments, start["environment"])  # noqa: S606 - it becomes the shell


if __name__ == "__main__":
    main()
