"""`python -m conductor_mock`: the `conductor-mock` command."""

from __future__ import annotations

from conductor_mock.cli import main

if __name__ == "__main__":
    main(prog_name="conductor-mock")
