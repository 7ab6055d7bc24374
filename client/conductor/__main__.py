"""``python -m conductor``: the ``conductor`` command, where another program of that name is installed."""

from __future__ import annotations

from conductor.cli import main

if __name__ == "__main__":
    main()
