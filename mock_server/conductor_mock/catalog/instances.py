"""Instance-type records (wire reference 2.3) from the compact table of machine families.

A family is a name with `{size}` in it, its sizes, and the memory of one core, or of the machine:

    - {name: "n1-standard-{size}", sizes: 1 2 4 8, memory_per_core: 3.75, windows: 4 8}
    - {name: "p3.{size}", sizes: {2xlarge: 8}, memory: 61, gpu: v100, gpu_count: 1}

Every scalar comes as text. Sizes that are only numbers are their own number of cores. Those under `windows`
exist once more, with `-w`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

Record = dict[str, Any]

CPU_CATEGORY: Mapping[str, Any] = {"label": "CPU", "order": 1}
GPU_CATEGORY: Mapping[str, Any] = {"label": "GPU", "order": 2}


def instance_types(families: list[Record], gpus: Mapping[str, Record]) -> list[Record]:
    """Expand the families, in their order, the linux machines of each before its windows ones."""
    return [record for family in families for record in _family(family, gpus)]


def _family(family: Record, gpus: Mapping[str, Record]) -> Iterator[Record]:
    sizes = _sizes(family["sizes"])
    for size, cores in sizes.items():
        yield _record(family, size, cores, gpus, "linux")
    for size in family.get("windows", "").split():
        yield _record(family, size, sizes[size], gpus, "windows")


def _sizes(sizes: str | Mapping[str, str]) -> dict[str, int]:
    pairs = {size: size for size in sizes.split()} if isinstance(sizes, str) else sizes
    return {size: int(cores) for size, cores in pairs.items()}


def _record(family: Record, size: str, cores: int, gpus: Mapping[str, Record], system: str) -> Record:
    memory = family.get("memory") or _text(cores * Decimal(family["memory_per_core"]))
    gpu = _gpu(gpus[family["gpu"]], int(family["gpu_count"])) if "gpu" in family else None
    return {
        "name": family["name"].format(size=size) + ("-w" if system == "windows" else ""),
        "description": _description(cores, memory, gpu, system),
        "cores": cores,
        "cpu": cores,
        "memory": memory,
        "operating_system": system,
        "gpu": gpu,
        "categories": [dict(GPU_CATEGORY if gpu else CPU_CATEGORY)],
        "cloud": _cloud(family["name"]),
        "orchestrator": "batch",
    }


def _cloud(name: str) -> str:
    """Where a machine stands, by what tells clients its provider; only `aws` was seen (wire reference 12.6)."""
    if name.startswith("cw-"):
        return "coreweave"
    return "aws" if "." in name else "gcp"


def _gpu(gpu: Record, count: int) -> Record:
    """The GPU object with every field of wire reference 2.3: memory is text, the other counts are numbers."""
    cuda_cores, rt_cores, tensor_cores = (int(gpu[key]) for key in ("cuda_cores", "rt_cores", "tensor_cores"))
    return {
        "gpu_architecture": gpu["architecture"],
        "gpu_count": count,
        "gpu_cuda_cores": cuda_cores,
        "gpu_memory": gpu["memory"],
        "gpu_model": gpu["model"],
        "gpu_rt_cores": rt_cores,
        "gpu_tensor_cores": tensor_cores,
        "total_gpu_cuda_cores": cuda_cores * count,
        "total_gpu_memory": _text(Decimal(gpu["memory"]) * count),
        "total_gpu_rt_cores": rt_cores * count,
        "total_gpu_tensor_cores": tensor_cores * count,
    }


def _description(cores: int, memory: str, gpu: Record | None, system: str) -> str:
    """Unique among machines that differ: older clients use it as a label and as a key."""
    parts = [f"{cores} core", f"{memory}GB Mem"]
    if gpu:
        parts.append(f"{gpu['gpu_count']} {gpu['gpu_model']} {gpu['gpu_memory']}GB")
    return ", ".join(parts) + (" Windows" if system == "windows" else "")


def _text(number: Decimal) -> str:
    """Plain decimal text without zeros at the end: 7.5, 30, 0.9."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
