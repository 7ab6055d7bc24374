"""``python -m conductor_contracts`` is the command ``conductor-contracts``."""

from conductor_contracts.cli import main

if __name__ == "__main__":
    main(prog_name="conductor-contracts")
