"""What Prometheus scrapes at `/metrics`: requests, the farm, what is stored. Numbers alone, nobody's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from flask import Blueprint, Response

from conductor_mock.api.doors import page_guard, page_headers
from conductor_mock.context import service
from conductor_mock.farm import tasks
from conductor_mock.farm.statuses import JobStatus, TaskStatus
from conductor_mock.serving.measuring import measured
from conductor_mock.store.roles import ROLES
from conductor_mock.version import version
from conductor_mock.wire.prometheus import CONTENT_TYPE, Family, Kind, Sample, exposition

metrics = Blueprint("metrics", __name__)
metrics.before_request(page_guard)
metrics.after_request(page_headers)


@metrics.get("/metrics")
def get() -> Response:
    """All families, as Prometheus reads them."""
    about = [_one("conductor_mock_info", "gauge", "The version that runs.", 1, version=version())]
    families = [*about, _roles(), *measured().families(), *_of_farms(), *_of_store()]
    return Response(exposition(families), content_type=CONTENT_TYPE)


def _roles() -> Family:
    has = service().roles.held()
    return Family(
        "conductor_mock_roles",
        "gauge",
        "Whether this server does what one of several does for all.",
        [Sample(float(name in has), {"role": name}) for name in ROLES],
    )


def _of_farms() -> list[Family]:
    """All accounts in memory together, at their present time. Those that nobody used for long stay on disk."""
    accounts = service().accounts
    jobs, done = Counter[str](), Counter[str]()
    used = instances = 0
    events = accounts.left
    for account_id in accounts.in_memory():
        with accounts.look(account_id) as state:
            if state is None:  # it left meanwhile
                continue
            used += 1
            instances += state.active
            events += state.happened
            for job in state.jobs.values():
                jobs[tasks.job_status(job)] += 1
                done.update(job.counts)
    return [
        _one("conductor_mock_accounts", "gauge", "Accounts that there are.", len(accounts.ids())),
        _one(
            "conductor_mock_accounts_in_use",
            "gauge",
            "Accounts in memory: those that were used lately.",
            used,
        ),
        _by_status("conductor_mock_jobs", "Jobs of the accounts in use, by status.", JobStatus, jobs),
        _by_status("conductor_mock_tasks", "Tasks of the accounts in use, by status.", TaskStatus, done),
        _one(
            "conductor_mock_instances", "gauge", "Instances that are taken in the accounts in use.", instances
        ),
        _one(
            "conductor_mock_farm_events_total",
            "counter",
            "What happened in the farms of the accounts in use, such as an instance that booted.",
            events,
        ),
    ]


def _of_store() -> list[Family]:
    contents, size = service().contents.totals()
    return [
        _one("conductor_mock_contents", "gauge", "Uploads and outputs that are stored.", contents),
        _one(
            "conductor_mock_contents_bytes",
            "gauge",
            "Bytes of the uploads and outputs that are stored.",
            size,
        ),
    ]


def _one(name: str, kind: Kind, meaning: str, value: float, **labels: str) -> Family:
    return Family(name, kind, meaning, [Sample(value, labels)])


def _by_status(
    name: str, meaning: str, statuses: type[JobStatus] | type[TaskStatus], counts: Mapping[str, int]
) -> Family:
    samples = [Sample(counts.get(status, 0), {"status": status.value}) for status in statuses]
    return Family(name, "gauge", meaning, samples)
