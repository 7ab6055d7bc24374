"""Runs on a Dask cluster whose workers share no disk with this server: what the driver asks of them.

A run is one call on the cluster. What else there is to say, that it is to end, what it has logged so far, where its
outputs go, is said to the workers themselves; the one that has the run's folder answers.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conductor_mock.execution import elsewhere
from conductor_mock.execution.elsewhere import Brought
from conductor_mock.execution.links import Links
from conductor_mock.execution.order import Order, Report
from conductor_mock.execution.wanted import runs_folder
from conductor_mock.execution.workspace import Workspace

log = logging.getLogger(__name__)

ANSWER_S = 10
"""How long workers have to answer a question about a run."""


@dataclass(frozen=True, slots=True)
class Remote:
    """The workers of one cluster. `folder` is where each of them keeps the folders of its runs."""

    client: Any
    executor: Executor
    folder: Path
    links: Links

    def workspace(self, run: str) -> Workspace:
        """The folder of a run, on whichever worker it is."""
        return Workspace(runs_folder(self.folder) / run)

    def run(self, order: Order) -> Report:
        """Run a task somewhere, at most once. Raises what the cluster raises."""
        distributed: Any = importlib.import_module("distributed")
        ticket = distributed.Queue(order.run, client=self.client)
        ticket.put(1, timeout=ANSWER_S)
        try:
            report: Report = self.executor.submit(elsewhere.run, order).result()
        finally:
            ticket.close()
        return report

    def bring(self, order: Order, report: Report) -> None:
        """Let the worker that made outputs send them. Raises OSError."""
        outputs = [
            Brought(made, self.links.to_bring(md5, size), size)
            for made, (md5, size) in zip(report.made, report.contents, strict=True)
        ]
        try:
            said: Sequence[str] = self.client.run(
                elsewhere.bring, order.folder, order.output, outputs, workers=[report.worker]
            ).values()
        except Exception as error:  # noqa: BLE001 - whatever a cluster raises, the worker is gone
            raise OSError(f"the worker that made them is gone ({type(error).__name__})") from None
        problem = next((one for one in said if one), "")
        if problem:
            raise OSError(problem)

    def read_log(self, run: str, first: int) -> bytes:
        """What a run has logged from its `first` byte on, up to a mebibyte."""
        said = self._ask(elsewhere.read_log, run, first)
        return max((one for one in said if isinstance(one, bytes)), key=len, default=b"")

    def cancel(self, run: str) -> None:
        """Ask a run to end."""
        self._ask(elsewhere.cancel, run)

    def end(self, run: str) -> None:
        """End what is left of a run, and take its folder away."""
        self._ask(elsewhere.end, run)

    def _ask(self, what: Any, run: str, *more: Any) -> list[Any]:
        """What the workers answer; one that is gone says nothing."""
        folder = str(self.workspace(run).folder)
        try:
            answers: dict[str, Any] = self.client.run(what, folder, *more, on_error="ignore")
        except Exception as error:  # noqa: BLE001 - whatever a cluster raises, nobody answers
            log.warning("the workers do not answer about run %s: %s", run, type(error).__name__)
            return []
        return list(answers.values())
