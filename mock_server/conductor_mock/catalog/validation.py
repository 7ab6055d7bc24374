"""The check of a whole catalogue document: everything that is known to break a client, and where it is.

The sources are traps 14 to 18 and the field tables of wire reference 2.1 to 2.4. An error breaks at least one
real client; a warning is for what clients silently drop, or what only some of them trip over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from conductor_contracts.problems import advice, pointer
from conductor_mock.catalog.hardware_rules import (
    check_instance_types,
    check_machines,
    check_platforms,
    is_figure,
    is_whole,
)
from conductor_mock.catalog.model import LISTS, TABLES, WRITTEN_LICENSES, env_variables, license_key
from conductor_mock.catalog.package_rules import Placed, check_environment, check_packages, check_unique
from conductor_mock.catalog.problems import Finding, Findings


def validate(document: object, *, strict: bool = False) -> list[Finding]:
    """Everything that is wrong with a catalogue document, errors and warnings, in the order of its parts.

    A document is a JSON object with the lists `packages`, `projects`, `instance_types` and `env_vars_configs`
    and, if wanted, the tables `machines` and `licenses` (or `licences`). A document without errors makes a
    Catalog. Never raises, whatever the document is; problems within records are looked for once the outline is
    right. `strict` is that of the server, and makes errors of values that no published record has.
    """
    findings = Findings(strict)
    if not isinstance(document, dict):
        findings.error("", f"must be an object with the keys {', '.join(LISTS)}")
        return findings.problems
    _check_json(document, findings)
    if not findings.has_errors:
        _check_outline(document, findings)
    if not findings.has_errors:
        _check_contents(document, findings)
    return findings.problems


def _check_outline(document: Mapping[str, Any], findings: Findings) -> None:
    for key in document:
        if key not in LISTS + TABLES:
            findings.error(pointer("", key), f"is no part of a catalogue{advice(key, LISTS + TABLES)}")
    for key in LISTS:
        records = document.get(key)
        if not isinstance(records, list):
            findings.error(f"/{key}", "must be a list of objects" if key in document else "is missing")
            continue
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                findings.error(f"/{key}/{index}", "must be an object")


def _check_contents(document: Mapping[str, Any], findings: Findings) -> None:
    packages, projects, instance_types = (_placed(document, key) for key in LISTS[:3])
    check_packages(packages, findings)
    _check_projects(projects, findings)
    check_instance_types(instance_types, findings)
    check_platforms(packages, instance_types, findings)
    _check_env_vars(document["env_vars_configs"], findings)
    if "machines" in document:
        names = (record["name"] for _, record in instance_types if isinstance(record.get("name"), str))
        check_machines(document["machines"], names, findings)
    key = license_key(document)
    if key in document:
        products = {str(package.get("product")) for _, package in packages}
        _check_licenses(key, document[key], products, findings)
    if key != WRITTEN_LICENSES and WRITTEN_LICENSES in document:
        findings.error(
            pointer("", WRITTEN_LICENSES), f"is another spelling of {key}, which is there too; keep one"
        )


def _placed(document: Mapping[str, Any], key: str) -> list[Placed]:
    return [(f"/{key}/{index}", record) for index, record in enumerate(document[key])]


def _check_projects(placed: list[Placed], findings: Findings) -> None:
    for path, project in placed:
        for key in ("name", "status"):
            if not isinstance(project.get(key), str) or not project[key]:
                findings.error(f"{path}/{key}", "must be text that is not empty")
        if not is_whole(project.get("id")) and not (isinstance(project.get("id"), str) and project["id"]):
            findings.error(f"{path}/id", "must be text that is not empty, or a whole number")
    for key in ("id", "name"):
        check_unique(placed, key, findings)
    if not any(project.get("status") == "active" for _, project in placed):
        findings.error("/projects", "has no project whose status is 'active'; plug-ins cannot connect")


def _check_env_vars(configs: list[dict[str, Any]], findings: Findings) -> None:
    path = "/env_vars_configs"
    accounts = [index for index, record in enumerate(configs) if "env" in record or "account_id" in record]
    if not accounts:
        check_environment(path, configs, findings)
        return
    if len(configs) > 1 or "env" not in configs[0]:
        findings.error(path, "must be a list of variables, or hold one record {account_id, env}")
        return
    if not isinstance(configs[0].get("account_id", ""), str):
        findings.warn(f"{path}/0/account_id", "should be text: clients never match a number")
    variables = env_variables(configs) if isinstance(configs[0]["env"], list) else configs[0]["env"]
    check_environment(f"{path}/0/env", variables, findings)


def _check_licenses(key: str, licenses: object, products: set[str], findings: Findings) -> None:
    if not isinstance(licenses, dict):
        findings.error(pointer("", key), "must be an object, product to whole micro-dollars per hour")
        return
    for product, price in licenses.items():
        path = pointer(f"/{key}", product)
        if not is_figure(price):
            findings.error(path, f"{price!r} must be whole micro-dollars per hour (150000 is 0.15 dollars)")
        if product not in products:
            findings.warn(path, f"is no product of this catalogue{advice(product, sorted(products))}")


def _check_json(document: dict[str, Any], findings: Findings) -> None:
    """Only what JSON can say: YAML also makes dates, sets, keys that are not text and things within themselves."""
    for path, message in _not_json(document):
        findings.error(path, message)
    if findings.has_errors:
        return
    try:
        json.dumps(document, check_circular=True)
    except (ValueError, RecursionError):
        findings.error("", "contains itself, or is nested too deeply")


def _not_json(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, Any]] = [("", document)]
    visited: set[int] = set()
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, (dict, list)):
            if id(value) in visited:
                continue
            visited.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            waiting.extend((pointer(path, key), child) for key, child in items)
            for key in value if isinstance(value, dict) else ():
                if not isinstance(key, str):
                    yield pointer(path, key), "the key must be text, in quotes"
        elif isinstance(value, float) and not math.isfinite(value):
            yield path, f"{value!r} is not a number that JSON can say"
        elif value is not None and not isinstance(value, (str, int, float)):
            yield path, f"{value!r} must be text, in quotes"
