"""Beside freezegun and time-machine: tokens are good and nothing hangs, in process and over a socket."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.programs import PATIENCE_S

PROGRAM = """
import datetime, importlib, sys
from conductor.lib.waiting import wait_for_jobs
from conductor_mock.testkit import mock_conductor
from conductor_mock.testkit.serving import served

JOB = {"project": "default", "instance_type": "n1-standard-8", "output_path": "/out", "tasks_data": [{"command": "a"}]}
LIBRARY = importlib.import_module(sys.argv[1])


def at(year):
    when = datetime.datetime(year, 5, 17, 12, tzinfo=datetime.timezone.utc)
    return LIBRARY.freeze_time(when) if sys.argv[1] == "freezegun" else LIBRARY.travel(when, tick=False)


def work(fake, client):
    jid = client.create_job(JOB)[0]["jobid"]
    (job,) = wait_for_jobs([jid], client=client)
    assert job.succeeded
    refused = fake.faults.add("jobs.list", status=503)
    client.list_jobs()
    assert refused.consumed == 1


for make in (mock_conductor, served):
    for year in (2020, 2035):
        with at(year), make() as fake, fake.client() as client:  # all of it in another time
            assert fake.clock.now.year == year
            work(fake, client)
        with make() as fake, fake.client() as client:  # a test that goes there and comes back
            work(fake, client)
            with at(year):
                work(fake, client)
                with fake.client() as newcomer:
                    work(fake, newcomer)
            work(fake, client)
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("library", ["freezegun", "time_machine"])
def test_a_test_may_be_in_another_time_or_go_there_and_come_back(library: str) -> None:
    command = [sys.executable, "-c", PROGRAM, library]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
