"""What breaks clients in instance types, and in the figures beside them (wire reference 2.3, 11 and trap 17)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conductor_contracts.problems import advice, pointer
from conductor_mock.catalog.machines import FIGURES, GIGABYTES
from conductor_mock.catalog.package_rules import PLATFORMS, Placed, check_unique
from conductor_mock.catalog.problems import Findings

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_THREADS = re.compile(r".*-[0-9]+")

LARGEST = 10**12
"""Of every number that is counted with: a million dollars an hour. Sums over a history stay numbers on the wire."""
MOST_CORES = 10**6
MOST_GPUS = 1000


def check_instance_types(placed: Sequence[Placed], findings: Findings) -> None:
    """Apply every rule for instance types, one by one and among each other."""
    if not placed:
        findings.error("/instance_types", "is empty (clients raise StopIteration); list at least one machine")
    for path, record in placed:
        _check_name(path, record, findings)
        _check_size(path, record, findings)
        _check_gpu(path, record, findings)
    check_unique(placed, "name", findings)
    _check_memory_types(placed, findings)
    _check_categories(placed, findings)
    _check_descriptions(placed, findings)
    _check_provider(placed, findings)


def check_platforms(packages: Sequence[Placed], instance_types: Sequence[Placed], findings: Findings) -> None:
    """Software and machines must have a platform in common: clients drop the machines that lack software."""
    software = _platforms(packages, "platform")
    systems = _platforms(instance_types, "operating_system")
    if not software & systems:
        message = f"no machine is left for the software: packages are for {_named(software)}"
        findings.error("/instance_types", f"{message}, machines run {_named(systems)}")
        return
    if lonely := software - systems:
        findings.warn("/packages", f"no machine runs the packages for {_named(lonely)}")
    if lonely := systems - software:
        findings.warn("/instance_types", f"there is no software for {_named(lonely)}; clients drop those")


def check_machines(figures: object, names: Iterable[str], findings: Findings) -> None:
    """The optional table of prices and speeds: an object by machine name, of whole numbers."""
    if not isinstance(figures, dict):
        findings.error("/machines", "must be an object, name of an instance type to its figures")
        return
    known = set(names)
    for name, machine in figures.items():
        path = pointer("/machines", name)
        if name not in known:
            findings.error(path, f"is no instance type of this catalogue{advice(name, sorted(known))}")
        if not isinstance(machine, dict):
            findings.error(path, f"must be an object with some of {', '.join(FIGURES)}")
            continue
        for figure, value in machine.items():
            if figure not in FIGURES:
                findings.error(pointer(path, figure), f"is no figure of a machine{advice(figure, FIGURES)}")
            elif not is_figure(value, at_least=1 if figure == "speed" else 0):
                findings.error(pointer(path, figure), f"{value!r} must be {FIGURES[figure]}")


def is_whole(value: object, at_least: int = 0) -> bool:
    """Whether a JSON value is a whole number from `at_least` up; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def is_figure(value: object, at_least: int = 0) -> bool:
    """Whether a JSON value is a whole number that is counted with: from `at_least` to `LARGEST`."""
    return is_whole(value, at_least) and isinstance(value, int) and value <= LARGEST


def _gigabytes(text: str) -> bool:
    match = GIGABYTES.fullmatch(text)
    return match is not None and float(match[1]) <= LARGEST


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _platforms(placed: Sequence[Placed], key: str) -> set[str]:
    return {platform for platform in PLATFORMS if any(record.get(key) == platform for _, record in placed)}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_name(path: str, record: Mapping[str, Any], findings: Findings) -> None:
    name, system = record.get("name"), record.get("operating_system")
    if not isinstance(name, str) or not name:
        findings.error(f"{path}/name", "must be text that is not empty")
    elif not record.get("gpu") and system == "linux" and "." not in name and not _THREADS.fullmatch(name):
        message = f"{name!r} does not end in -INTEGER, from which a plug-in takes its number of threads"
        findings.warn(f"{path}/name", message)
    if system not in PLATFORMS:
        findings.error(f"{path}/operating_system", f"is {system!r}; accepted are {', '.join(PLATFORMS)}")


def _check_size(path: str, record: Mapping[str, Any], findings: Findings) -> None:
    cores, memory = record.get("cores"), record.get("memory")
    if not _is_number(cores) or not cores or not 0 < cores <= MOST_CORES:
        findings.error(f"{path}/cores", f"{_shown(cores)} must be a number above 0, at most {MOST_CORES}")
    text = isinstance(memory, str) and _DECIMAL.fullmatch(memory) and float(memory) <= LARGEST
    if not text and not (_is_number(memory) and memory is not None and 0 <= memory <= LARGEST):
        findings.error(f"{path}/memory", f"{memory!r} must be a number of GB, or such a number as text")


def _check_gpu(path: str, record: Mapping[str, Any], findings: Findings) -> None:
    if "gpu" not in record:
        findings.warn(f"{path}/gpu", "is missing, and plug-ins raise KeyError; it may be null")
    gpu = record.get("gpu")
    if not gpu and (gpu is None or isinstance(gpu, dict)):
        return
    if not isinstance(gpu, dict):
        findings.error(f"{path}/gpu", "must be null or an object")
        return
    if "gpu_count" not in gpu:
        findings.warn(f"{path}/gpu/gpu_count", "is missing, so that clients take the GPU for none")
        return
    if not is_whole(gpu["gpu_count"]) or gpu["gpu_count"] > MOST_GPUS:
        message = f"{_shown(gpu['gpu_count'])} must be a whole number, at most {MOST_GPUS}"
        findings.error(f"{path}/gpu/gpu_count", message)
    if not isinstance(gpu.get("gpu_model"), str):
        findings.error(f"{path}/gpu/gpu_model", "is missing (clients raise KeyError); name the model")
    memory = gpu.get("gpu_memory")
    if not is_figure(memory) and not (isinstance(memory, str) and _gigabytes(memory)):
        findings.error(f"{path}/gpu/gpu_memory", "is missing or no number of GB (clients raise KeyError)")
    if not is_figure(gpu.get("gpu_cuda_cores", 0)):
        findings.error(f"{path}/gpu/gpu_cuda_cores", "must be a whole number")


def _check_memory_types(placed: Sequence[Placed], findings: Findings) -> None:
    texts = [isinstance(record.get("memory"), str) for _, record in placed if "memory" in record]
    if any(texts) and not all(texts):
        message = "memory is text in some records and a number in others; clients raise TypeError sorting it"
        findings.error("/instance_types", message)


def _check_categories(placed: Sequence[Placed], findings: Findings) -> None:
    some_have = any(record.get("categories") for _, record in placed)
    orders: dict[str, object] = {}
    for path, record in placed:
        categories = record.get("categories")
        if some_have and not categories:
            findings.warn(f"{path}/categories", "is empty while others have some; menus drop this machine")
        if categories is None:
            continue
        if not isinstance(categories, list) or not all(_is_category(each) for each in categories):
            findings.error(f"{path}/categories", 'must be a list of {"label": text, "order": whole number}')
            continue
        for each in categories:
            if orders.setdefault(each["label"], each["order"]) != each["order"]:
                findings.warn(f"{path}/categories", f"{each['label']!r} has another order elsewhere")


def _is_category(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("label"), str) and is_whole(value.get("order"))


def _check_descriptions(placed: Sequence[Placed], findings: Findings) -> None:
    first: dict[str, str] = {}
    for path, record in placed:
        description = record.get("description")
        if not isinstance(description, str):
            findings.warn(f"{path}/description", "should be text: older clients show it as the label")
        elif (earlier := first.setdefault(description, path)) != path:
            findings.warn(f"{path}/description", f"is that of {earlier}; clients use it as a key")


def _check_provider(placed: Sequence[Placed], findings: Findings) -> None:
    providers = [_provider(record["name"]) for _, record in placed if isinstance(record.get("name"), str)]
    if len(set(providers)) > 1:
        message = (
            f"names mix {_named(providers)}; clients take all for {providers[0]}, as the first one looks"
        )
        findings.warn("/instance_types", message)


def _provider(name: str) -> str:
    """The provider as clients guess it from a name."""
    if name.startswith("cw-"):
        return "CoreWeave"
    return "AWS" if "." in name else "GCP"


def _named(names: Iterable[object]) -> str:
    return " and ".join(sorted({str(name) for name in names})) or "nothing"
