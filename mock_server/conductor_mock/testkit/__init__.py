"""The test kit: a fake with a handle on it, for the tests of whatever talks to the service (docs/reference/testkit.md).

    from conductor_mock.testkit import mock_conductor

    with mock_conductor() as fake:
        submit_my_shot()
        fake.assert_called("jobs.create", times=1)

`fake` is the object and its assertions, `steering` its clock, faults and outcomes, `values` what it answers with,
`control` how it asks, `mocking` the context manager and decorator, `serving` the same on a socket. The fixtures for
pytest are in `conductor_mock.pytest_plugin`.
"""

from __future__ import annotations

from conductor_mock.testkit.fake import Fake
from conductor_mock.testkit.mocking import mock_conductor
from conductor_mock.testkit.steering import Clock, Faults, Outcomes
from conductor_mock.testkit.values import Account, Attempt, FaultRule, File, Job, Request, Task

__all__ = [
    "Account",
    "Attempt",
    "Clock",
    "Fake",
    "FaultRule",
    "Faults",
    "File",
    "Job",
    "Outcomes",
    "Request",
    "Task",
    "mock_conductor",
]
