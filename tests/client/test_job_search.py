"""Finding a job whose submission was not answered: what might be it is never absent, what might not be is never it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from conductor.lib.submission.job_search import JobQuery, Sighting, epoch_of, search

NOON = 1_700_000_000.0  # 2023-11-14T22:13:20Z
PAYLOAD = {
    "job_title": "comp v3",
    "owner": "kim",
    "project": "default",
    "priority": 5,
    "tasks_data": [{"command": "render"}],
    "metadata": {"shot": "a"},
    "upload_size": 7,
}
QUERY = JobQuery(PAYLOAD, earliest=NOON - 10, latest=NOON + 20, before=frozenset({"00001"}))


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


@pytest.mark.parametrize("fields", [{"title": "comp v4"}, {"title": ""}, {"jid": "00001"}])
def test_another_title_or_one_that_was_there_before_is_another_job(fields: dict[str, Any]) -> None:
    assert search([record(**fields)], QUERY) == Sighting()


@pytest.mark.parametrize("created", ["2023-11-14T22:13:00Z", "Mon, 13 Nov 2023 22:13:21 GMT"])
def test_a_new_job_of_an_earlier_time_is_neither_found_nor_absent(created: str) -> None:
    assert search([record(created=created)], QUERY) == Sighting((), ("00007",))


def test_where_it_is_not_known_what_was_there_before_nothing_is_certain_but_an_earlier_time() -> None:
    query = QUERY._replace(before=None)
    assert search([record()], query) == Sighting((), ("00007",))
    assert search([record(created="2023-11-14T22:13:00Z")], query) == Sighting()


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
        {"tasks": 2},
        {"tasks": [{}, {}]},
        {"metadata": {"shot": "b"}},
        {"upload_size": 8},
    ],
)
def test_what_fits_in_part_is_neither_found_nor_absent(fields: dict[str, Any]) -> None:
    assert search([record(**fields)], QUERY) == Sighting((), ("00007",))


@pytest.mark.parametrize(
    "name", ["project", "priority", "instance_type", "location", "metadata", "output_path", "upload_size"]
)
def test_whatever_both_sides_say_must_be_the_same(name: str) -> None:
    query = QUERY._replace(payload={**PAYLOAD, "location": "mars", name: "one"})
    assert search([record(**{name: "one"})], query).found == "00007"
    assert search([record(**{name: "other"})], query) == Sighting((), ("00007",))
    assert search([record(**{name: None})], query).found == "00007"


@pytest.mark.parametrize(
    ("created", "certain"), [(NOON - 10.5, False), (NOON - 10, True), (NOON + 20, True), (NOON + 20.5, False)]
)
def test_a_job_is_found_within_its_time_both_ends_included(created: float, certain: bool) -> None:
    assert bool(search([record(created=created)], QUERY).found) == certain
    unsure = search([record(created=created)], QUERY._replace(before=None))
    assert bool(unsure.candidates) == (created >= NOON - 10)


def test_the_id_may_stand_in_another_field() -> None:
    assert search([record(jid=..., id="00007")], QUERY).found == "00007"
    assert search([record(jid=...)], QUERY).found == "?"


def test_a_job_without_a_time_may_be_it_also_where_it_is_not_known_what_was_there() -> None:
    query = QUERY._replace(before=None)
    assert search([record(created=...)], query) == Sighting((), ("00007",))


def test_two_that_fit_are_for_a_person_to_decide() -> None:
    sighting = search([record(), record(jid="00008")], QUERY)
    assert (sighting.found, sighting.candidates) == ("", ("00007", "00008"))


def test_one_that_fits_beside_one_that_may_is_for_a_person_to_decide() -> None:
    sighting = search([record(), record(jid="00008", owner="robin")], QUERY)
    assert (sighting.found, sighting.candidates) == ("", ("00007", "00008"))


def test_a_job_of_another_submission_is_not_it() -> None:
    query = QUERY._replace(ours=frozenset({"00007"}))
    assert search([record()], query) == Sighting()


def test_without_a_title_nothing_is_certain() -> None:
    query = QUERY._replace(payload={**PAYLOAD, "job_title": ""})
    assert search([record(), record(jid="00008", title="x")], query) == Sighting((), ("00007", "00008"))


def test_a_payload_that_says_less_is_held_to_what_it_says() -> None:
    payload = {"job_title": "comp v3", "owner": "kim", "tasks_data": []}
    full = record(tasks=5, location="mars", instance_type="m", metadata={"shot": "b"})
    assert search([full], QUERY._replace(payload=payload)).found == "00007"


@pytest.mark.parametrize(
    ("name", "fields"),
    [("owner", {"owner": None}), ("owner", {"owner": ...}), ("job_title", {"title": "None"})],
)
def test_for_a_payload_without_an_owner_or_a_title_no_job_is_certain(
    name: str, fields: dict[str, Any]
) -> None:
    query = QUERY._replace(payload={key: value for key, value in PAYLOAD.items() if key != name})
    assert search([record(**fields)], query) == Sighting((), ("00007",))


@pytest.mark.parametrize("tasks", [1, "1", [{}]])
def test_as_many_tasks_as_were_sent_speak_for_a_job(tasks: Any) -> None:
    assert search([record(tasks=tasks, metadata={"shot": "a"}, upload_size=7)], QUERY).found == "00007"


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
def test_times_are_read_in_every_form_that_was_seen(
    monkeypatch: pytest.MonkeyPatch, text: Any, seconds: float | None
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # a time without a zone is not of this machine's
    time.tzset()
    assert epoch_of(text) == seconds
    monkeypatch.undo()
    time.tzset()
