"""What the fake finds odd about a submission is said where the person looks: by the client that submits."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.cli import cli
from conductor_mock.context import LONGEST_HEADER, WARNINGS
from support.farm import Farm, job, without_explanation
from support.server import job_payload, running


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"project": "defualt"}, "the catalogue has no project 'defualt'"),
        ({"software_package_ids": ["nope"]}, "the catalogue has no package 'nope'"),
        ({"instance_type": "n1-standrad-2"}, "the catalogue has no instance type 'n1-standrad-2'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_the_library_logs_what_is_odd_about_a_job(
    here: Farm, caplog: pytest.LogCaptureFixture, odd: dict[str, Any], said: str
) -> None:
    assert here.submit(job(**odd))[1] == 201
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text for text in told if said in text and "00001" in text]


def test_a_job_that_is_not_odd_has_no_warning(here: Farm, caplog: pytest.LogCaptureFixture) -> None:
    here.submit(job())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_the_command_line_shows_it(here: Farm) -> None:
    words = ["--title", "t", "--project", "defualt", "--instance-type", "n1-standard-2"]
    work = ["--tasks-data", '[{"command": "render"}]', "--output-path", "/proj/out"]
    done = CliRunner().invoke(cli, ["submit", *words, *work], env=here.environment)
    assert (done.exit_code, done.stdout) == (0, "submitted job 00001 (201)\n"), done.output
    assert "the catalogue has no project 'defualt'" in done.stderr


@pytest.mark.hypothesis
def test_whatever_is_odd_fits_into_the_header() -> None:
    with running() as fake:
        caller = fake.newcomer()

        @settings(without_explanation)
        @given(st.text(min_size=1, max_size=60), st.lists(st.text(max_size=90), max_size=60))
        def holds(project: str, packages: list[str]) -> None:
            answer = caller.post("/jobs/", job_payload(project=project, software_package_ids=packages))
            if answer.status == 201:
                header = answer.headers.get(WARNINGS, "[]")
                assert header.isascii()
                assert header.isprintable()
                assert len(header) <= LONGEST_HEADER
                assert all(isinstance(text, str) for text in json.loads(header))

        holds()
