"""Finding a job whose submission was not answered: what might be it is never absent, what might not be is never it."""

from __future__ import annotations

from typing import Any

import pytest

from conductor.lib.submission.job_search import JobQuery, Sighting, epoch_of, search

NOON = 1_700_000_000.0  # 2023-11-14T22:13:20Z
PAYLOAD = {"job_title": "comp v3", "owner": "kim", "project": "default", "priority": 5}
QUERY = JobQuery(PAYLOAD, earliest=NOON - 10, latest=NOON + 20)


def record(**fields: Any) -> dict[str, Any]:
    """The record of the job that is query, changed by `fields`; Ellipsis leaves a field out."""
    full = {
        "jid": "00007",
        "title": "comp v3",
        "owner": "kim",
        "project": "default",
        "created": "2023-11-14T22:13:21.250000Z",
        **fields,
    }
    return {name: value for name, value in full.items() if value is not ...}


def test_a_job_that_fits_in_everything_is_found() -> None:
    assert search([record(title="another"), record()], QUERY).found == "00007"


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "comp v4"},
        {"title": ""},
        {"created": "2023-11-14T22:13:00Z"},
        {"created": "Mon, 13 Nov 2023 22:13:21 GMT"},
    ],
)
def test_another_title_or_an_earlier_time_is_another_job(fields: dict[str, Any]) -> None:
    assert search([record(**fields)], QUERY) == Sighting()


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ...},
        {"owner": "robin"},
        {"owner": ...},
        {"project": "another"},
        {"priority": 7},
        {"created": ...},
        {"created": "yesterday"},
        {"created": "2023-11-14T22:15:00Z"},
    ],
)
def test_what_fits_in_part_is_neither_found_nor_absent(fields: dict[str, Any]) -> None:
    assert search([record(**fields)], QUERY) == Sighting((), ("00007",))


def test_two_that_fit_are_for_a_person_to_decide() -> None:
    sighting = search([record(), record(jid="00008")], QUERY)
    assert (sighting.found, sighting.candidates) == ("", ("00007", "00008"))


def test_one_that_fits_beside_one_that_may_is_for_a_person_to_decide() -> None:
    sighting = search([record(), record(jid="00008", owner="robin")], QUERY)
    assert (sighting.found, sighting.candidates) == ("", ("00007", "00008"))


def test_a_job_of_another_submission_is_not_it() -> None:
    query = JobQuery(PAYLOAD, QUERY.earliest, QUERY.latest, ours=frozenset({"00007"}))
    assert search([record()], query) == Sighting()


def test_without_a_title_nothing_is_certain() -> None:
    query = JobQuery({**PAYLOAD, "job_title": ""}, QUERY.earliest, QUERY.latest)
    assert search([record(), record(jid="00008", title="x")], query) == Sighting((), ("00007", "00008"))


@pytest.mark.parametrize("name", ["user", "submittedBy"])
def test_the_owner_may_stand_in_another_field(name: str) -> None:
    assert search([record(owner="an account", **{name: "kim"})], QUERY).found == "00007"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T22:13:20Z", NOON),
        ("2023-11-14T22:13:20.5Z", NOON),
        ("2023-11-14T22:13:20.123456789+00:00", NOON),
        ("2023-11-14T23:13:20+01:00", NOON),
        ("2023-11-14 22:13:20", NOON),
        ("Tue, 14 Nov 2023 22:13:20 GMT", NOON),
        (NOON, NOON),
        ("soon", None),
        (None, None),
        (True, None),
    ],
)
def test_times_are_read_in_every_form_that_was_seen(text: Any, seconds: float | None) -> None:
    assert epoch_of(text) == seconds
