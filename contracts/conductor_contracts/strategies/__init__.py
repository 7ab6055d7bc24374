"""Hypothesis strategies for what goes over the wire and for what people hand to a client.

Everything is plain data: nothing but ``write_tree`` touches a disk, nothing a network. Valid things are valid by
``openapi.yaml``, broken ones carry exactly one fault and say where it is. The strategies need
Hypothesis, which comes with the extra ``testkit``.

    from conductor_contracts import strategies as contract

    @given(contract.payloads())
    def test_every_valid_job_is_accepted(payload): ...

    @given(contract.broken_payloads())
    def test_every_fault_is_named(broken):
        payload, where = broken
"""

from conductor_contracts.strategies.arguments import submit_arguments
from conductor_contracts.strategies.faults import broken_payloads, broken_submit_arguments
from conductor_contracts.strategies.files import file_trees, upload_files, upload_requests, write_tree
from conductor_contracts.strategies.histories import job_histories, upload_plans
from conductor_contracts.strategies.jobs import payloads
from conductor_contracts.strategies.reports import (
    completions,
    download_reports,
    job_actions,
    task_actions,
    upload_finishes,
    upload_progress,
)
from conductor_contracts.strategies.schedules import fault_schedules
from conductor_contracts.strategies.software import catalogues, environments, package_lists, packages
from conductor_contracts.strategies.values import frame_specs, md5s

__all__ = [
    "broken_payloads",
    "broken_submit_arguments",
    "catalogues",
    "completions",
    "download_reports",
    "environments",
    "fault_schedules",
    "file_trees",
    "frame_specs",
    "job_actions",
    "job_histories",
    "md5s",
    "package_lists",
    "packages",
    "payloads",
    "submit_arguments",
    "task_actions",
    "upload_files",
    "upload_finishes",
    "upload_plans",
    "upload_progress",
    "upload_requests",
    "write_tree",
]
