"""A shot of the project that lies beside the submitter, with outputs in a folder of the test's own."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))

from submitter import Shot  # noqa: E402 - it is found now


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    return replace(Shot.of_file(HERE / "shot.json"), output=tmp_path / "renders")
