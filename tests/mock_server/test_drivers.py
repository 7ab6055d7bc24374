"""Who starts and ends runs: what it began with ends with it."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conductor_mock.execution.driver import Driver


def test_a_driver_that_cannot_begin_leaves_no_thread_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "driver":
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    nothing: Any = SimpleNamespace(slots=1)
    monkeypatch.setattr(Driver, "_report_lost", lambda _: itertools.repeat(None))
    monkeypatch.setattr(Driver, "_remove", lambda *_: None)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        Driver("1", nothing, tmp_path, nothing, nothing)
    assert [thread.name for thread in started if not thread.is_alive()] == ["leftovers"]
