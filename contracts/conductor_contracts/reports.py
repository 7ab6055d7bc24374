"""A report of `verify` as JSON and as JUnit XML, for programs and CI."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET  # written, never read

from conductor_contracts.verify import Outcome, Report

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold, escaped or not."""


def outcome_word(outcome: Outcome) -> str:
    """`passed`, `failed` or `skipped`."""
    return "skipped" if outcome.skipped else "passed" if outcome.passed else "failed"


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON: ``url``, ``ok``, ``timed_out``, counts, and for each interaction its outcome."""
    outcomes = [
        {
            "id": one.interaction.id,
            "operation": one.interaction.operation,
            "name": one.interaction.name,
            "source": one.interaction.source,
            "outcome": outcome_word(one),
            "faults": list(one.faults),
            "skipped": one.skipped or None,
        }
        for one in report.outcomes
    ]
    counts = {
        word: sum(one["outcome"] == word for one in outcomes) for word in ("passed", "failed", "skipped")
    }
    return {
        "url": report.base_url,
        "ok": report.ok,
        "timed_out": report.timed_out,
        **counts,
        "interactions": outcomes,
    }


def as_junit(report: Report) -> str:
    """The report as JUnit XML: a suite for each operation, a case for each interaction."""
    by_operation: dict[str, list[Outcome]] = {}
    for outcome in report.outcomes:
        by_operation.setdefault(outcome.interaction.operation or "routes", []).append(outcome)
    root = ET.Element("testsuites", {"name": "conductor-contracts verify", **_counts(list(report.outcomes))})
    for operation, outcomes in by_operation.items():
        suite = ET.SubElement(root, "testsuite", {"name": operation, **_counts(outcomes)})
        for outcome in outcomes:
            _add_case(suite, operation, outcome)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_case(suite: ET.Element, operation: str, outcome: Outcome) -> None:
    case = ET.SubElement(suite, "testcase", classname=operation, name=_text(outcome.interaction.name))
    if outcome.skipped:
        ET.SubElement(case, "skipped", message=_text(outcome.skipped))
    elif outcome.faults:
        failure = ET.SubElement(case, "failure", message=_text(outcome.faults[0]))
        failure.text = _text("\n".join(outcome.faults))


def _counts(outcomes: list[Outcome]) -> dict[str, str]:
    failed = sum(bool(one.faults) for one in outcomes)
    skipped = sum(bool(one.skipped) for one in outcomes)
    return {"tests": str(len(outcomes)), "failures": str(failed), "errors": "0", "skipped": str(skipped)}


def _text(text: str) -> str:
    """A text that XML can hold: a service chose some of it."""
    return _NO_XML.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)
