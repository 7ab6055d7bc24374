"""Prints what a process sees of its own start, as JSON: ``what_a_program_sees.py WORDS...``."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

STREAM = ("encoding", "errors", "line_buffering", "write_through", "name", "mode", "newlines", "buffer")


def seen() -> dict[str, Any]:
    """What a start may decide; not the numbers that differ from one to the next."""
    main = sys.modules["__main__"]
    files = sorted(path for path in list(Path("/proc/self/fd").iterdir()) if path.exists())
    return {
        "arguments": sys.argv,
        "all arguments": sys.orig_argv,
        "main": [main.__name__, main.__spec__.name if main.__spec__ else None],
        "path": sys.path,
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "temporary folder": tempfile.gettempdir(),
        "time zone": time.tzname,
        "files": {path.name: str(path.readlink()).split(":")[0] for path in files},
        "streams": [
            [*(str(getattr(one, name)) for name in STREAM), one.isatty(), one.seekable(), one.fileno()]
            for one in (sys.stdin, sys.stdout, sys.stderr)
        ],
        "handlers": {one.name: str(signal.getsignal(one)).split(" at 0x")[0] for one in signal.Signals},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "limits": {
            name: resource.getrlimit(getattr(resource, name))
            for name in dir(resource)
            if name.startswith("RLIMIT_")
        },
        "umask": os.umask(0),
        "parent": os.getppid(),
        "leads": [os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid()],
        "group": os.getpgid(0) if os.getpgid(0) != os.getpid() else None,
        "threads": [threading.active_count(), len(list(Path("/proc/self/task").iterdir()))],
        "is the main thread": threading.current_thread() is threading.main_thread(),
        "terminal": os.isatty(0),
        "flags": list(sys.flags),
    }


def main() -> None:
    """Say it, and the words on standard input; end as the first word asks for."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word == "see":
        print(json.dumps({**seen(), "read": sys.stdin.read()}))
    elif word == "number":
        print(random.random())
    elif word == "exit":
        sys.exit(int(sys.argv[2]))
    elif word == "say and exit":
        sys.exit("a sentence")
    elif word == "raise":
        raise ValueError("a mistake")
    elif word == "at exit":
        import atexit

        atexit.register(print, "at the end")
        threading.Thread(target=print, args=["of a thread"]).start()
    elif word == "wait":
        print("up", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
