"""The listing of packages that the vendor published in February 2018; it is not part of this project.

Its path is in CONDUCTOR_MOCK_TEST_LISTING, which `.ci/run` sets where the file is there. Elsewhere tests are skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "CONDUCTOR_MOCK_TEST_LISTING"
Record = dict[str, Any]

WITHOUT = f"{VARIABLE} does not say where the vendor's listing of 2018 lies"
"""Why a test that needs the listing is skipped."""


def listing_or_none() -> list[Record] | None:
    """Its 484 records with the platform that they lack; None where there is no listing."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    records: list[Record] = json.loads(Path(path).read_text(encoding="utf-8"))["data"]
    assert len(records) == 484
    return [{**record, "platform": "linux"} for record in records]


def listing_of_2018() -> list[Record]:
    """Its records. Skips the test where there is no listing."""
    records = listing_or_none()
    if records is None:
        pytest.skip(WITHOUT)
    return records
