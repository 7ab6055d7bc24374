"""The test kit: a fake with a handle on it, for the tests of whatever talks to the service (docs/reference/testkit.md).

    from conductor_mock.testkit import mock_conductor

    with mock_conductor() as fake:
        submit_my_shot()
        fake.assert_called("jobs.create", times=1)

`fake` is the object, `assertions` what is asserted of it, `steering` and `outcomes` its clock, faults and the like,
`values` what it answers with, `client` a client that does not wait. `places` says where it is and `control` how it is
asked, `mocking` has the context manager and decorator, `serving` the same on a socket; `vendor` and `surroundings` see
to what a process keeps. The fixtures for pytest are in `conductor_mock.pytest_plugin`, what they report in `evidence`.
"""

from __future__ import annotations

from conductor_mock.testkit.control import ControlError
from conductor_mock.testkit.fake import Fake, ForgottenRequests
from conductor_mock.testkit.mocking import mock_conductor
from conductor_mock.testkit.outcomes import AskedOutcome, Outcomes
from conductor_mock.testkit.steering import AskedFault, Catalog, Clock, Faults, Options
from conductor_mock.testkit.values import (
    Account,
    AccountOptions,
    Attempt,
    Content,
    FaultRule,
    File,
    Job,
    Mail,
    NearMiss,
    OutcomeRule,
    Request,
    Task,
)
from conductor_mock.testkit.waits import Waits

__all__ = [
    "Account",
    "AccountOptions",
    "AskedFault",
    "AskedOutcome",
    "Attempt",
    "Catalog",
    "Clock",
    "Content",
    "ControlError",
    "Fake",
    "FaultRule",
    "Faults",
    "File",
    "ForgottenRequests",
    "Job",
    "Mail",
    "NearMiss",
    "Options",
    "OutcomeRule",
    "Outcomes",
    "Request",
    "Task",
    "Waits",
    "mock_conductor",
]
