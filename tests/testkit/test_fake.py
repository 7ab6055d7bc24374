"""A fake in a test's hands: what it holds, what is asserted of it, how it is moved."""

from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.lib.conductor_submit import Submit
from conductor.lib.exceptions import NotEndedError, RefusedError, TryAgainError
from conductor.lib.logs import follow_log
from conductor.lib.waiting import wait_for_jobs
from conductor_mock.catalog.files import named as named_catalog
from conductor_mock.context import service_of
from conductor_mock.inprocess import in_process
from conductor_mock.settings import Settings
from conductor_mock.store.durable import NewFile
from conductor_mock.testkit import (
    AskedOutcome,
    ControlError,
    Fake,
    ForgottenRequests,
    Job,
    NearMiss,
    control,
    mock_conductor,
)
from conductor_mock.testkit.evidence import SHOWN, journal
from conductor_mock.testkit.given import body_condition, settings_of
from conductor_mock.testkit.listing import folded
from conductor_mock.testkit.places import InMemory
from support.farm import job as arguments
from support.farm import without_explanation
from support.testkit import JOB, submit


@pytest.fixture
def fake() -> Iterator[Fake]:
    with mock_conductor() as opened:
        yield opened


def test_a_submission_is_seen_with_all_that_came_of_it(fake: Fake, tmp_path: Path) -> None:
    scene = tmp_path / "scene.ma"
    scene.write_bytes(b"a scene")
    answer, status = Submit(arguments(scene)).main()
    assert status == 201
    jid = answer["jobid"]
    fake.clock.until(jid)

    (job,) = fake.jobs
    assert job == fake.job(jid)
    assert (job.jid, job.status) == (jid, "success")
    assert job.payload["job_title"] == "bad luck"
    assert [task.status for task in job.tasks] == ["success"]
    assert [attempt.outcome for attempt in job.tasks[0].attempts] == ["success"]
    (file,) = fake.files
    assert (file.path, file.size) == (scene.as_posix(), 7)
    fake.assert_called("jobs.create", times=1)
    fake.assert_not_called("uploads.next")
    fake.assert_uploaded([scene])
    fake.assert_exactly_once()
    fake.assert_no_warnings()
    fake.assert_job(jid, status="success", project="default", priority=5)
    held = fake.file(scene)
    assert (held.content, held.md5, held.size) == (b"a scene", file.md5, 7)


def test_every_assertion_shows_what_was_there_instead(fake: Fake) -> None:
    jid = submit(frobnicate=1)
    failures: dict[str, Callable[[], None]] = {
        "jobs.create was asked for 1 time, not 2 times; what was asked:\n    auth.token": (
            lambda: fake.assert_called("jobs.create", 2)
        ),
        "projects.list was asked for 0 times, not at least once": lambda: fake.assert_called("projects.list"),
        "jobs.create was asked for 1 time, not 0 times": lambda: fake.assert_not_called("jobs.create"),
        "not uploaded: /a.ma; uploaded: nothing": lambda: fake.assert_uploaded("/a.ma"),
        "/frobnicate is not in the contract": fake.assert_no_warnings,
        "wanted 2 jobs: 1 submission became 00001": lambda: fake.assert_exactly_once(times=2),
        "project: expected 'other', has 'default'": lambda: fake.assert_job(jid, project="other"),
        "colour: expected 'red', has none": lambda: fake.assert_job(jid, colour="red"),
    }
    for text, check in failures.items():
        with pytest.raises(AssertionError) as caught:
            check()
        assert text in str(caught.value)


def test_what_cannot_be_meant_is_said_with_what_was_meant(fake: Fake) -> None:
    with pytest.raises(ValueError, match=r"no operation 'jobs\.creat'; did you mean 'jobs\.create'"):
        fake.assert_not_called("jobs.creat")
    with pytest.raises(ValueError, match=r"no operation 'jobs\.crate'; did you mean 'jobs\.create'"):
        fake.faults.add("jobs.crate")
    with pytest.raises(ControlError, match="statsu"):
        fake.faults.add("jobs.create", "statsu")
    with pytest.raises(ControlError, match=r"frame.*did you mean 'frames'"):
        fake.outcomes.add("failed", frame="1")
    with pytest.raises(ControlError, match=r"no content is held for the path '/a\.ma'"):
        fake.file("/a.ma")
    with pytest.raises(ControlError, match="there is no job '00007'"):
        fake.job("00007")
    with pytest.raises(TypeError, match="did you mean 'speed'"):
        mock_conductor(speeed=1)
    with pytest.raises(TypeError, match=r"one at a time, not \['jobs\.create'\]"):
        fake.faults.add(["jobs.create"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no such catalogue"):
        fake.catalog.replace("no such catalogue")
    jid = submit()
    with pytest.raises(AssertionError, match="projct: expected 'a', has none; did you mean 'project'"):
        fake.assert_job(jid, projct="a")


WRONG = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.none(),
    st.binary(),
    st.lists(st.text(), max_size=2),
)


@given(setting=st.sampled_from(fields(Settings)), value=WRONG)
def test_a_setting_of_another_type_is_named_with_what_it_may_be(setting: Field[Any], value: object) -> None:
    default = getattr(Settings(), setting.name)
    try:
        taken = settings_of({setting.name: value})
    except TypeError as error:
        assert str(error).startswith(f"{setting.name} must be ")  # noqa: PT017 - both ways are looked at
        assert type(value) is not type(default)
    else:
        assert getattr(taken, setting.name) == value or value != value
        assert isinstance(default, bool) <= isinstance(value, bool)


@given(
    body=st.one_of(WRONG, st.dictionaries(st.text(), st.text(), max_size=2), st.tuples(st.integers(), WRONG))
)
def test_a_condition_on_a_body_that_is_no_pair_is_said_to_be_none(body: Any) -> None:
    try:
        pair = body_condition(body)
    except ValueError as error:
        assert "such as ('/project', 'default')" in str(error)  # noqa: PT017 - both ways are looked at
    else:
        assert [pair["pointer"], pair["value"]] == list(body)


@given(lines=st.lists(st.sampled_from(["asked", "answered", "lost"]), max_size=40))
def test_what_is_the_same_one_after_another_is_one_line_with_its_number(lines: list[str]) -> None:
    told = list(folded(lines))
    names = [line.partition(" ")[0] for line in told]
    numbers = [int(line.partition("(")[2].partition(" ")[0] or 1) for line in told]
    assert [name for name, number in zip(names, numbers, strict=True) for _ in range(number)] == lines
    assert all(one != other for one, other in itertools.pairwise(names))


def test_a_client_that_asks_again_and_again_takes_one_line_of_the_journal(fake: Fake) -> None:
    with fake.client() as client:
        wait_for_jobs([submit()], client=client)
    told = [line for line in journal(fake).splitlines() if line.startswith("jobs.list")]
    numbers = [int(line.partition("200 (")[2].partition(" times")[0] or 1) for line in told]
    assert sum(numbers) == len(fake.requests("jobs.list")) > 5
    assert len(told) <= 2


def test_jobs_tasks_and_frames_are_named_by_text_or_number(fake: Fake) -> None:
    rule = fake.outcomes.add("failed", jid=1, tid=0)
    jid = submit()
    fake.clock.until(1)
    assert fake.job(1) == fake.job("1") == fake.job(jid)
    fake.assert_job(1, status="failed")
    assert rule.consumed == 1


def test_a_fault_counts_what_it_saw_and_did(fake: Fake) -> None:
    fault = fake.faults.add("jobs.create", times=2, status=503)
    assert (fault.seen, fault.consumed) == (0, 0)
    jid = submit()
    assert (fault.seen, fault.consumed) == (3, 2)
    assert [request.fault for request in fake.requests("jobs.create")] == ["status", "status", None]
    assert [request.status for request in fake.requests("jobs.create")] == [503, 503, 201]
    fake.assert_exactly_once()
    fake.faults.clear()
    with pytest.raises(LookupError, match="was cleared"):
        _ = fault.seen
    assert fake.job(jid).jid == jid


def test_tasks_go_as_asked_for(fake: Fake) -> None:
    fake.outcomes.add(frames="2", outcome=["failed"], exit_code=7)
    jid = submit()
    fake.clock.until_idle()
    first, second = fake.job(jid).tasks
    assert (first.status, second.status) == ("success", "failed")
    assert [(attempt.outcome, attempt.exit_code) for attempt in second.attempts] == [("failed", 7)]
    fake.outcomes.clear()


def test_time_stands_still_unless_it_is_moved(fake: Fake) -> None:
    before = fake.clock.now
    fake.clock.advance(90)
    assert (fake.clock.now - before).total_seconds() == 90
    assert fake.clock.speed == 0
    fake.clock.speed = 10
    assert fake.clock.speed == 10


def test_a_reset_leaves_nothing(fake: Fake) -> None:
    submit()
    fake.faults.add("jobs.list")
    fake.reset()
    assert (fake.jobs, fake.files, fake.requests(), fake.faults.all) == ([], [], [], [])


def test_exactly_once_is_kept_by_a_submitter_that_knows_and_broken_by_one_that_does_not() -> None:
    with mock_conductor() as fake:
        fake.faults.add("jobs.create", "lost_answer")
        submit()
        assert len(fake.requests("jobs.create")) == 2
        fake.assert_exactly_once()
    with mock_conductor() as fake:
        fake.faults.add("jobs.create", "lost_answer")
        with requests.Session() as session:
            query = {
                "grant_type": "client_credentials", "scope": "user",
                "client_id": fake.account.client_id, "client_secret": fake.account.private_key,
            }  # fmt: skip
            token = session.get(f"{fake.url}/api/oauth_jwt", params=query).json()["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
            with pytest.raises(requests.ConnectionError):
                session.post(f"{fake.url}/jobs/", json=JOB)
            session.post(f"{fake.url}/jobs/", json=JOB).raise_for_status()
        with pytest.raises(AssertionError, match="1 submission became 00001, 00002"):
            fake.assert_exactly_once()
        fake.assert_exactly_once(times=2)


# What it is offered, and its options


def test_the_catalogue_is_looked_at_replaced_and_given_back(fake: Fake) -> None:
    offered = fake.catalog.projects
    own = [{"id": "1", "name": "batman", "status": "active"}]
    assert fake.catalog.replace({"projects": own}) == ()
    assert [project["name"] for project in fake.catalog.projects] == ["batman"]
    assert fake.catalog.packages
    assert fake.catalog.instance_types
    fake.catalog.replace("aws")
    assert fake.catalog.document == named_catalog("aws").to_document()
    fake.catalog.replace({"projects": own})
    with pytest.raises(ControlError, match="the catalogue was not taken"):
        fake.catalog.replace({"projects": 7})
    fake.catalog.replace(None)
    assert fake.catalog.projects == offered


def test_options_are_read_and_changed(fake: Fake) -> None:
    before = fake.options.now
    fake.options.change(seed=7, provider="s3")
    assert fake.options.now == replace(before, seed=7, provider="s3")
    with pytest.raises(ControlError, match="provider"):
        fake.options.change(provider="azure")


def test_a_mail_is_seen_that_a_job_caused(fake: Fake) -> None:
    jid = submit(notify={"emails": ["kim@studio.example"], "slack": []})
    assert fake.mails == []
    fake.clock.until(jid)
    (mail,) = fake.mails
    assert (mail.jid, mail.status, mail.to) == (jid, "success", ("kim@studio.example",))


# What the journal has forgotten


def ask(fake: Fake, times: int) -> None:
    """Ask for the job list so often, each time another part of it."""
    key = {"client_id": fake.account.client_id, "client_secret": fake.account.private_key}
    answer = requests.get(f"{fake.url}/api/oauth_jwt", params={"grant_type": "client_credentials", **key})
    token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    for number in range(times):
        requests.get(f"{fake.url}/api/v1/jobs", params={"filter": f"jid_gt_{number:05}"}, headers=token)


def parts(fake: Fake) -> list[str]:
    return [request.query["filter"][0][-3:] for request in fake.requests("jobs.list")]


def test_all_requests_are_told_however_many_the_server_gives_at_once(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "PAGE", 3)
    ask(fake, 8)
    requests.get(f"{fake.url}/nothing")
    assert parts(fake) == [f"{number:03}" for number in range(8)]
    assert [stray.path for stray in fake.strays] == ["/nothing"]
    assert fake.forgotten == 0


@pytest.fixture
def forgetful(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A fake of which a job and many requests are asked, but for the last few forgotten."""
    assert isinstance(fake._place, InMemory)
    monkeypatch.setattr(service_of(fake._place.service.app).journal, "_keep", 100)
    submit()
    ask(fake, 350)
    return fake


def test_requests_that_the_journal_has_forgotten_are_warned_of(forgetful: Fake) -> None:
    with pytest.warns(
        ForgottenRequests, match=f"has forgotten the first {forgetful.forgotten} requests of this"
    ):
        kept = parts(forgetful)
    assert 100 <= len(kept) < 200
    assert kept[-1] == "349"
    forgetful.assert_called("jobs.list")
    forgetful.reset()
    assert forgetful.forgotten == 0
    forgetful.assert_not_called("jobs.create")


@pytest.mark.filterwarnings("ignore::conductor_mock.testkit.ForgottenRequests")
@pytest.mark.parametrize(
    "counted",
    [
        lambda fake: fake.assert_called("jobs.list", times=len(fake.requests("jobs.list"))),
        lambda fake: fake.assert_called("jobs.create"),
        lambda fake: fake.assert_not_called("jobs.create"),
        lambda fake: fake.assert_exactly_once(),
        lambda fake: fake.assert_exactly_once(times=1),
    ],
)
def test_what_the_journal_has_forgotten_is_not_counted_as_none(
    forgetful: Fake, counted: Callable[[Fake], None]
) -> None:
    with pytest.raises(AssertionError, match=r"^nobody can tell: the journal has forgotten the first"):
        counted(forgetful)


@pytest.mark.filterwarnings("error")
def test_a_report_counts_what_it_does_not_show(forgetful: Fake) -> None:
    submit(tasks_data=[{"command": "render", "frames": str(frame)} for frame in range(25)])
    text = journal(forgetful)
    with pytest.warns(ForgottenRequests):
        kept = len(forgetful.requests())
    assert f"\n({forgetful.forgotten + max(0, kept - SHOWN)} requests before)\n" in text
    assert "019 pending and 5 more tasks\n" in f"{text}\n"


# What was not used, not right, not uploaded


def test_a_rule_for_outcomes_says_how_many_tasks_fitted_and_how_many_attempts_went_by_it(fake: Fake) -> None:
    every = fake.outcomes.add(duration=5)
    never = fake.outcomes.add("failed", title="another")
    jid = submit()
    fake.clock.until(jid)
    second = fake.outcomes.add("failed", frames="2")
    assert (every.seen, every.consumed) == (2, 2)
    again = submit()
    fake.clock.until(again)
    assert (every.seen, every.consumed) == (4, 3)
    assert (second.seen, second.consumed) == (2, 1)
    assert (never.seen, never.consumed) == (0, 0)
    assert str(never.rule) == "outcome failed for title 'another': 0 seen, 0 consumed"
    with pytest.raises(AssertionError, match="never used: outcome failed for title 'another'"):
        fake.assert_rules_used()
    fake.outcomes.clear()
    fake.assert_rules_used()
    with pytest.raises(LookupError, match="was cleared"):
        _ = second.seen


def test_rules_that_a_reset_took_are_gone_and_those_of_others_do_not_count(fake: Fake) -> None:
    lost = fake.outcomes.add("failed")
    fake.reset()
    with pytest.raises(LookupError, match="was cleared"):
        _ = lost.consumed
    mine = fake.outcomes.add("failed", frames="1")
    requests.post(
        f"{fake.url}/_mock/outcomes", params={"account": fake.account.client_id}, json={"duration": 1}
    ).raise_for_status()
    submit()
    fake.clock.until_idle()
    assert [(rule.seen, rule.consumed) for rule in fake.outcomes.all] == [(1, 0)]
    assert mine.seen == 1


@given(story=st.lists(st.sampled_from(["submit", "1", "2", "1-2", "run"]), max_size=6))
@settings(max_examples=15, parent=without_explanation)
def test_every_attempt_is_counted_by_the_rule_that_it_went_by(story: list[str]) -> None:
    """A rule of each frame gives exit codes of its own, so the attempts themselves say by which they went."""
    with mock_conductor() as fake:
        asked: list[AskedOutcome] = []
        for step in story:
            if step == "submit":
                submit()
            elif step == "run":
                fake.clock.until_idle()
            else:
                asked.append(fake.outcomes.add("failed", frames=step, exit_code=len(asked) + 100))
        fake.clock.until_idle()
        codes = [attempt.exit_code for job in fake.jobs for task in job.tasks for attempt in task.attempts]
        begun = [rule.consumed for rule in asked]
        assert begun == [codes.count(number + 100) for number in range(len(asked))]


def test_what_matched_nothing_or_broke_the_contract_is_told_with_the_reason(fake: Fake) -> None:
    fake.assert_no_invalid_requests()
    requests.get(f"{fake.url}/api/v1/jobz")
    assert (fake.requests(), [one.path for one in fake.strays]) == ([], ["/api/v1/jobz"])
    with pytest.raises(AssertionError, match=r"no operation \(GET /api/v1/jobz\): 404: there is no GET"):
        fake.assert_no_invalid_requests()
    fake.reset()
    with pytest.raises(RefusedError):
        submit(tasks_data="none")
    with pytest.raises(AssertionError, match=r"there is 1 invalid request:\n.*jobs\.create.*tasks_data"):
        fake.assert_no_invalid_requests()
    (left,) = fake.leftovers()
    assert left.endswith("(allow_invalid=True for a test that may)")
    assert fake.leftovers(allow_invalid=True) == []


def test_a_request_that_fits_no_route_is_that_of_the_account_whose_token_it_carries(fake: Fake) -> None:
    with fake.client() as opened:
        opened.list_jobs()
        token = {"Authorization": f"Bearer {opened._tokens.token()}"}
    requests.get(f"{fake.url}/api/v1/jobz", headers=token)
    requests.delete(f"{fake.url}/jobs/", headers=token)
    requests.get(f"{fake.url}/api/v1/jobz", headers={"Authorization": "Bearer none"})
    assert [one.status for one in fake.requests() if one.operation is None] == [404, 405]
    assert [one.status for one in fake.strays] == [404]
    with pytest.raises(AssertionError, match="there are 3 invalid requests"):
        fake.assert_no_invalid_requests()


def test_a_near_miss_is_told_as_the_journal_has_it(fake: Fake) -> None:
    requests.get(f"{fake.url}/api/v1/jobz")
    (stray,) = fake.strays
    assert stray.near_miss is None or stray.near_miss.operation == "jobs.list"
    differences = [{"path": "path", "message": "/api/v1/jobs, not /api/v1/jobz"}]
    near = NearMiss.of(
        {"operation": "jobs.list", "method": "GET", "path": "/api/v1/jobs", "differences": differences}
    )
    assert near == NearMiss("jobs.list", (("path", "/api/v1/jobs, not /api/v1/jobz"),))


def test_a_request_that_met_a_fault_is_not_held_against_a_test(fake: Fake) -> None:
    fake.faults.add("jobs.create", status=400)
    with pytest.raises(RefusedError):
        submit()
    fake.assert_no_invalid_requests()


def test_a_file_that_a_command_names_and_nobody_uploaded_is_told(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="there is no job"):
        fake.assert_commands_uploaded()
    scene, texture, folder = tmp_path / "a b.ma", tmp_path / "wood.tx", tmp_path / "caches"
    empty, output = tmp_path / "empty", tmp_path / "out"
    for path in (scene, texture, folder / "smoke.vdb", output / "old.exr"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(path.name.encode())
    empty.mkdir()
    command = (
        f"{scene} -proj '{scene}' -tex={texture} --caches {folder} {empty} -rd {output} {output}/old.exr "
        f"{tmp_path}/none.ma {tmp_path}/wood.####.tx /usr/bin/env /usr/bin relative.ma"
    )
    job = {"tasks_data": [{"command": command, "frames": "1"}], "output_path": str(output)}
    Submit({**arguments(scene), **job}).main()
    with pytest.raises(AssertionError) as caught:
        fake.assert_commands_uploaded()
    missing = str(caught.value).partition("\nuploaded: ")[0].splitlines()[1:]
    assert [line.split(", which")[0].strip() for line in missing] == [texture.as_posix(), folder.as_posix()]

    fake.reset()
    Submit({**arguments(scene), **job, "upload_paths": [str(scene), str(texture), str(folder)]}).main()
    fake.assert_commands_uploaded()


# A client that does not wait, a service that is not there, a socket, a bundle


def test_waits_of_a_client_are_counted_and_pass_for_the_fake(fake: Fake) -> None:
    before = fake.clock.now
    fake.faults.add("jobs.create", status=429, retry_after=40)
    with fake.client() as opened:
        jid = opened.create_job(JOB)[0]["jobid"]
        assert list(fake.waits.all) == [40]
        (job,) = wait_for_jobs([jid], client=opened)
        assert (job.status, fake.job(jid).status) == ("success", "success")
        assert list(follow_log(jid, "000", client=opened))
    assert (fake.clock.now - before).total_seconds() == pytest.approx(fake.waits.seconds, abs=1)


def test_a_deadline_passes_by_what_was_waited(fake: Fake) -> None:
    jid = submit(local_upload=False, upload_files=[])
    fake.outcomes.add("success", duration=10_000)
    with fake.client() as opened, pytest.raises(NotEndedError):
        wait_for_jobs([jid], timeout=300, client=opened)
    assert fake.waits.seconds == pytest.approx(300)


def test_whoever_waits_for_what_never_comes_is_failed(fake: Fake) -> None:
    jid = submit(scout_frames="1")
    fake.waits.most = 3600
    with fake.client() as opened, pytest.raises(AssertionError, match=r"36\d\d s of waiting"):
        wait_for_jobs([jid], client=opened)
    assert fake.waits.seconds < 3700


def test_a_service_that_is_not_there_refuses_and_is_back_with_all_that_there_was(fake: Fake) -> None:
    jid = submit()
    fake.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(fake.url)
    with fake.client() as opened, pytest.raises(TryAgainError):
        opened.list_jobs()
    assert fake.job(jid).jid == jid, "the test itself may ask"
    fake.start()
    with fake.client() as opened:
        assert [job["jid"] for job in opened.list_jobs()] == [jid]


def test_the_very_same_fake_is_served_to_other_processes(fake: Fake) -> None:
    jid = submit()
    before = os.environ["CONDUCTOR_URL"]
    with fake.serve() as url:
        assert os.environ["CONDUCTOR_URL"] == fake.environment["CONDUCTOR_URL"] == url != before
        command = [sys.executable, "-m", "conductor", "jobs", "--json"]
        seen = subprocess.run(command, capture_output=True, text=True, check=True)
        assert [job["jid"] for job in json.loads(seen.stdout)] == [jid]
        assert requests.get(f"{url}/_mock/health").ok, "this process reaches the socket too"
        assert submit() == "00002"
    assert os.environ["CONDUCTOR_URL"] == fake.environment["CONDUCTOR_URL"] == before
    assert [job.jid for job in fake.jobs] == ["00001", "00002"]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/_mock/health")


def test_a_bundle_makes_the_account_again(fake: Fake, tmp_path: Path) -> None:
    scene = tmp_path / "scene.ma"
    scene.write_bytes(b"a scene")
    jid = Submit(arguments(scene)).main()[0]["jobid"]
    fake.clock.until(jid)
    saved = fake.save_bundle(tmp_path / "deep" / "account.bundle")
    with in_process() as other:
        answer = requests.post(
            f"{other.url}/_mock/bundle", saved.read_bytes(), headers={"Content-Type": "application/zip"}
        )
        assert answer.status_code == 201, answer.text
        ask = {"account": fake.account.client_id}
        (job,) = requests.get(f"{other.url}/_mock/jobs", params=ask).json()["jobs"]
        assert Job.of(job) == fake.job(jid)
        content = requests.get(f"{other.url}/_mock/files/content", params={**ask, "path": scene.as_posix()})
        assert content.content == b"a scene"


def test_a_bundle_takes_the_place_of_another_one_whole_or_not_at_all(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "account.bundle"
    submit()
    fake.save_bundle(target)
    first = target.read_bytes()
    submit()
    second = fake.save_bundle(target).read_bytes()
    assert second != first

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(NewFile, "write", full)
        with pytest.raises(OSError, match="No space"):
            fake.save_bundle(target)
    assert [path.name for path in tmp_path.iterdir()] == ["account.bundle"]
    assert target.read_bytes() == second
    with pytest.raises(IsADirectoryError):
        fake.save_bundle(tmp_path)


def test_a_fault_has_the_conditions_that_the_server_has(fake: Fake) -> None:
    named = fake.faults.add("jobs.create", status=503, times=None, every=2, body=("/job_title", "the second"))
    chance = fake.faults.add("jobs.list", times=None, probability=0.0, seed=7)
    over = fake.faults.add("jobs.list", times=None, until="2000-01-01T00:00:00Z")
    cut = fake.faults.add("jobs.list", "truncate", times=None, from_byte=1 << 30)
    for title in ("a", "the second", "the second", "b"):
        submit(job_title=title)
    assert [request.status for request in fake.requests("jobs.create")] == [201, 201, 503, 201, 201]
    assert (named.seen, named.consumed) == (3, 1)
    with fake.client() as client:
        assert len(client.list_jobs()) == 4
    assert [rule.consumed for rule in (chance, over)] == [0, 0]
    assert cut.seen > 0
    kept = fake._control.ask("GET", "faults")["faults"]
    assert [rule["probability"] for rule in kept] == [1, 0, 1, 1]
    assert kept[3]["from_byte"] == 1 << 30
