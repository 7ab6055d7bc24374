"""The kinds of fault, a module for each. A new one is a class here and a name in KINDS (docs/contributing.md)."""

from __future__ import annotations

from collections.abc import Mapping

from conductor_mock.faults.fault import Fault
from conductor_mock.faults.kinds.after_close import AfterClose
from conductor_mock.faults.kinds.corrupt import Corrupt
from conductor_mock.faults.kinds.delay import Delay
from conductor_mock.faults.kinds.drip import Drip
from conductor_mock.faults.kinds.duplicate import Duplicate
from conductor_mock.faults.kinds.expired_token import ExpiredToken
from conductor_mock.faults.kinds.expired_url import ExpiredUrl
from conductor_mock.faults.kinds.garble import Garble
from conductor_mock.faults.kinds.lost_answer import LostAnswer
from conductor_mock.faults.kinds.quota import Quota
from conductor_mock.faults.kinds.reset import Reset
from conductor_mock.faults.kinds.stall import Stall
from conductor_mock.faults.kinds.status import Status
from conductor_mock.faults.kinds.truncate import Truncate

KINDS: tuple[type[Fault], ...] = (
    Status,
    Quota,
    ExpiredToken,
    ExpiredUrl,
    Delay,
    Drip,
    Stall,
    Reset,
    LostAnswer,
    AfterClose,
    Truncate,
    Corrupt,
    Garble,
    Duplicate,
)
"""In the order of the documentation."""

BY_NAME: Mapping[str, type[Fault]] = {kind.kind: kind for kind in KINDS}
