"""What a machine costs and how fast it is: the side table that the simulated farm reads.

The wire knows only the instance-type record (wire reference 2.3); neither prices nor speeds are on it. The
figures here are inferred: a rule that gives plausible list prices, so that usage and cost reports look right
and stay the same from run to run. They are nobody's real prices.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MicroDollars = int
"""Money: whole millionths of a US dollar, so that sums over a farm's history are exact."""

CORE: MicroDollars = 31_611
GIGABYTE: MicroDollars = 4_237
CUDA_CORE: MicroDollars = 200
WINDOWS_CORE: MicroDollars = 46_000
PREEMPTIBLE_PERCENT = 30

REFERENCE_CORES = 8
"""A machine of this many cores and no GPU (`n1-standard-8`) has speed 100."""
CUDA_CORES_PER_CORE = 160
CUDA_CORES_PER_GIGABYTE = 160
"""Stands in for the number of CUDA cores where a GPU's record gives only its memory."""

GIGABYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(?:GB)?")
"""The memory of a GPU as text: `16`, or `128GB` as the records of ciocore's own tests have it (wire reference 12.6)."""


@dataclass(frozen=True)
class Machine:
    """One instance type as the farm sees it.

    `cores` is rounded up to whole ones. Both prices are whole micro-dollars per hour. `speed` is a percentage of an
    8-core machine without a GPU.
    """

    name: str
    cores: int
    price_micro_usd_per_hour: MicroDollars
    preemptible_micro_usd_per_hour: MicroDollars
    speed: int

    def figures(self) -> dict[str, int]:
        """What the instance-type record does not say, in the form that `machine_from` takes back."""
        return {
            "price_usd_per_hour": self.price_micro_usd_per_hour,
            "preemptible_usd_per_hour": self.preemptible_micro_usd_per_hour,
            "speed": self.speed,
        }


FIGURES: Mapping[str, str] = {
    "price_usd_per_hour": "whole micro-dollars per hour (380000 is 0.38 dollars)",
    "preemptible_usd_per_hour": "whole micro-dollars per hour (380000 is 0.38 dollars)",
    "speed": "a whole percentage of an 8-core machine, at least 1",
}
"""The figures that a catalogue document may state, by their keys in it, each with what it accepts."""


def machine_from(record: Mapping[str, Any], given: Mapping[str, int]) -> Machine:
    """Read the machine of an instance-type record; figures that are not `given` follow from the rule.

    The rule looks at cores, memory, GPUs and the operating system. A stated price without a stated
    preemptible one gives the latter by percentage.
    """
    price = given.get("price_usd_per_hour", _price(record))
    return Machine(
        name=record["name"],
        cores=math.ceil(Decimal(str(record["cores"]))),
        price_micro_usd_per_hour=price,
        preemptible_micro_usd_per_hour=given.get(
            "preemptible_usd_per_hour", price * PREEMPTIBLE_PERCENT // 100
        ),
        speed=given.get("speed", _speed(record)),
    )


def _price(record: Mapping[str, Any]) -> MicroDollars:
    cores, memory = Decimal(str(record["cores"])), Decimal(str(record["memory"]))
    system = WINDOWS_CORE if record["operating_system"] == "windows" else 0
    return math.floor(cores * (CORE + system) + memory * GIGABYTE) + _cuda_cores(record) * CUDA_CORE


def _speed(record: Mapping[str, Any]) -> int:
    cores = Decimal(str(record["cores"])) + _cuda_cores(record) // CUDA_CORES_PER_CORE
    return max(1, math.floor(cores * 100 / REFERENCE_CORES))


def _gpu_count(record: Mapping[str, Any]) -> int:
    return int((record.get("gpu") or {}).get("gpu_count") or 0)


def _cuda_cores(record: Mapping[str, Any]) -> int:
    """CUDA cores of all GPUs together; estimated from their memory where the record does not say."""
    count = _gpu_count(record)
    if not count:
        return 0
    gpu = record["gpu"]
    if gpu.get("gpu_cuda_cores"):
        return count * int(gpu["gpu_cuda_cores"])
    memory = GIGABYTES.fullmatch(str(gpu["gpu_memory"]))
    return count * math.floor(Decimal(memory[1]) * CUDA_CORES_PER_GIGABYTE) if memory else 0
