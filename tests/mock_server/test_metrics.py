"""What Prometheus reads at /metrics, by its own parser: right numbers, bounded labels, nobody's words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from conductor_mock.farm.statuses import JobStatus, TaskStatus
from conductor_mock.serving.measuring import BOUNDS_S, Measured
from conductor_mock.store.roles import ROLES
from conductor_mock.wire.prometheus import CONTENT_TYPE, Family, Sample, exposition
from support.server import ApiCaller, Fake, candidate, running

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "server.md").read_text(encoding="utf-8")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
JOBS_CREATE = {"operation": "jobs.create"}

Read = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Read:
    """The samples of an exposition, by name and labels; none may be there twice."""
    found = [
        ((sample.name, frozenset(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert len(found) == len(dict(found))
    return dict(found)


def scraped(fake: Fake) -> Read:
    answer = fake.anonymous().get("/metrics")
    assert (answer.status, answer.headers["Content-Type"]) == (200, CONTENT_TYPE)
    return read(answer.content.decode())


def value(samples: Read, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


def with_name(samples: Read, name: str) -> dict[str, float]:
    """The samples of one name, by the value of their only label."""
    return {text: number for (key, labels), number in samples.items() if key == name for _, text in labels}


def test_requests_are_counted_by_operation_and_status(fake: Fake) -> None:
    before = scraped(fake)
    caller = fake.newcomer()
    assert caller.submit().status == 201
    assert caller.post("/jobs/", {"tasks_data": 7}).status == 400
    assert fake.anonymous().get("/no/such/route").status == 404
    after = scraped(fake)

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("conductor_mock_requests_total", **JOBS_CREATE, status="201") == 1
    assert more("conductor_mock_requests_total", **JOBS_CREATE, status="400") == 1
    assert more("conductor_mock_requests_total", operation="none", status="404") == 1
    assert more("conductor_mock_request_duration_seconds_count", **JOBS_CREATE) == 2
    assert more("conductor_mock_request_duration_seconds_bucket", **JOBS_CREATE, le="+Inf") == 2
    assert more("conductor_mock_request_duration_seconds_sum", **JOBS_CREATE) > 0
    assert more("conductor_mock_received_bytes_total", **JOBS_CREATE) > len('{"tasks_data": 7}')
    assert more("conductor_mock_sent_bytes_total", **JOBS_CREATE) > 0


def test_what_a_server_does_for_all_is_told(tmp_path: Path) -> None:
    with running(data_dir=tmp_path, smtp="smtp://127.0.0.1:9") as fake:
        told = {role: value(scraped(fake), "conductor_mock_roles", role=role) for role in ROLES}
        assert told == {"execute": 0, "mail": 1, "sweep": 1}


def test_jobs_tasks_and_contents_are_counted_over_all_accounts() -> None:
    with running() as fake:
        one, two = fake.newcomer(), fake.newcomer()
        for caller in (one, two):
            assert (
                caller.submit(tasks_data=[{"command": "echo", "frames": str(n)} for n in range(3)]).status
                == 201
            )
        one.post("/_mock/clock", {"until": "idle"}, query={"account": one.client_id})
        content = b"a file of nine"
        assert upload(one, content) == 200
        samples = scraped(fake)
        assert with_name(samples, "conductor_mock_jobs") == {
            **dict.fromkeys(map(str, JobStatus), 0),
            "success": 1,
            "syncing": 1,
        }
        assert with_name(samples, "conductor_mock_tasks") == {
            **dict.fromkeys(map(str, TaskStatus), 0),
            "success": 3,
            "pending": 3,
        }
        assert value(samples, "conductor_mock_contents") == 1
        assert value(samples, "conductor_mock_contents_bytes") == len(content)
        assert value(samples, "conductor_mock_received_bytes_total", operation="objects.put") == len(content)
        assert (
            value(samples, "conductor_mock_accounts") == value(samples, "conductor_mock_accounts_in_use") >= 2
        )
        assert value(samples, "conductor_mock_farm_events_total") >= 7, "a sync, three boots, three ends"


def upload(caller: ApiCaller, content: bytes) -> int:
    """Ask where a file goes, and bring it; the status of the last answer."""
    file = candidate("/proj/a.ma", content)
    asked = caller.post("/api/v2/files/get_upload_urls", {"upload_files": [file], "project": "default"})
    url = asked.json()["singlePartURLs"][0]["preSignedURL"]
    return caller.put(url, content).status


@given(st.lists(st.tuples(st.sampled_from(METHODS), st.text(max_size=20), st.text(max_size=20)), max_size=5))
@settings(max_examples=15)
def test_no_word_of_a_stranger_comes_into_a_label(asked: list[tuple[str, str, str]]) -> None:
    with running() as fake:
        client = fake.app.test_client()
        for method, path, query in asked:
            client.open(
                f"/{quote(path)}", method=method, query_string={"q": query}, base_url="http://127.0.0.1:8089"
            )
        routes = {rule.endpoint for rule in fake.app.url_map.iter_rules()} | {"none"}
        for _, labels in scraped(fake):
            said = dict(labels)
            assert said.pop("operation", "none") in routes
            assert re.fullmatch(r"[a-z_]+|[1-5]\d\d", said.pop("status", "pending"))
            assert said.pop("le", "+Inf") in {*map(str, BOUNDS_S), "+Inf"}
            assert said.pop("role", "mail") in ROLES
            assert set(said) <= {"version"}


answers = st.tuples(
    st.sampled_from(["jobs.create", "none"]), st.integers(100, 599), st.floats(0, 1e6), st.integers(0, 2**62)
)


@given(st.lists(answers))
def test_what_is_noted_is_what_is_read(noted: list[tuple[str, int, float, int]]) -> None:
    counts = Measured()
    for operation, status, seconds, size in noted:
        counts.note(operation, status, seconds=seconds, received=size, sent=0)
    samples = read(exposition(counts.families()))

    for (operation, status), count in Counter((row[0], row[1]) for row in noted).items():
        assert (
            value(samples, "conductor_mock_requests_total", operation=operation, status=str(status)) == count
        )
    for operation in {row[0] for row in noted}:
        times = [row[2] for row in noted if row[0] == operation]
        for bound in BOUNDS_S:
            below = value(
                samples, "conductor_mock_request_duration_seconds_bucket", operation=operation, le=str(bound)
            )
            assert below == sum(time <= bound for time in times)


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text()), st.text(), st.floats(allow_nan=False))
def test_any_label_help_and_number_is_read_as_it_was_written(
    labels: dict[str, str], meaning: str, number: float
) -> None:
    meaning = " ".join(meaning.split())  # the parser splits at white space of any kind
    family = Family("some_name", "gauge", meaning, [Sample(number, labels)])
    (found,) = text_string_to_metric_families(exposition([family]))

    assert found.documentation.replace("\\\\", "\\") == meaning.replace("\\\\", "\\")
    assert [(sample.labels, sample.value) for sample in found.samples] == [(labels, number)]


def test_a_wrong_key_leaves_no_account_behind_that_a_scrape_trips_over() -> None:
    with running() as fake:
        query: dict[str, Any] = {"grant_type": "client_credentials", "client_secret": "wrong"}
        wrong = {**query, "client_id": fake.service.keys.client_id}
        assert fake.anonymous().get("/api/oauth_jwt", query=wrong).status == 401
        assert value(scraped(fake), "conductor_mock_accounts_in_use") == 0


def test_the_reference_lists_every_family_with_its_kind_and_labels(fake: Fake) -> None:
    fake.newcomer()
    text = fake.anonymous().get("/metrics").content.decode()
    section = REFERENCE.partition('<a id="metrics"></a>')[2].partition("\n## Errors")[0]
    said = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for names, kind, labels in re.findall(
            r"^\| (`conductor_mock_.*?) \| (\w+) \| (.*?) \|", section, re.MULTILINE
        )
        for name in re.findall(r"`(\w+)`", names)
    }
    found = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, frozenset(labels))
    assert found == said
