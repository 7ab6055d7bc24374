"""The page about the contract names every command of `conductor-contracts`, and every option below its command."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from conductor_contracts.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "contracts.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `conductor-contracts (\S+?)(?: .*?)?`\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S))


def test_every_command_has_a_heading_and_no_heading_is_about_another() -> None:
    assert set(SECTIONS) == set(main.commands)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_option_is_explained_below_its_command(name: str) -> None:
    options = [one for one in main.commands[name].params if isinstance(one, click.Option) and not one.hidden]
    assert [one.opts for one in options if f"`{one.opts[0]}`" not in SECTIONS[name]] == []


SAMPLES = re.findall(r"<!-- sample: python -->\n```python\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_every_sample_runs(number: int) -> None:
    exec(compile(SAMPLES[number], f"sample {number} of contracts.md", "exec"), {"__name__": "sample"})
