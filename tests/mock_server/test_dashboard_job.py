"""The page of a job in its parts: instances and costs over time, the payload, the environment, the frames; secrets."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.dashboard import job, payload, player, timeline
from conductor_mock.farm import billing
from conductor_mock.farm.actions import act_on_jobs
from conductor_mock.farm.ids import account_id
from conductor_mock.farm.payload import read
from conductor_mock.farm.statuses import Action
from conductor_mock.testkit import fake as testkit
from support.server import ApiCaller, Fake

Json = dict[str, Any]


def frames(count: int) -> list[dict[str, str]]:
    return [
        {"command": f"render -f {frame} -o /out/a.####.exr", "frames": str(frame)}
        for frame in range(1, count + 1)
    ]


def markup(caller: ApiCaller, path: str, **query: str) -> str:
    answer = caller.get(path, query={"account": caller.client_id, **query})
    assert answer.status == 200, answer
    return html.unescape(answer.content.decode())


def wait(caller: ApiCaller, **move: Any) -> None:
    caller.post("/_mock/clock", move, query={"account": caller.client_id})


@given(
    steps=st.lists(st.integers(1, 90), min_size=1, max_size=12),
    count=st.integers(1, 6),
    machines=st.integers(0, 3),
    outcome=st.sampled_from(["success", "failed", "preempted,success", "preempted"]),
)
def test_the_line_of_costs_is_what_the_job_cost_at_each_moment(
    shared_fake: Fake, steps: list[int], count: int, machines: int, outcome: str
) -> None:
    caller = shared_fake.newcomer()
    caller.submit(
        tasks_data=frames(count),
        max_instances=machines,
        preemptible=True,
        metadata={"mock_outcome": outcome},
        autoretry_policy={"preempted": {"max_retries": 1}},
    )
    seen = []
    for step in steps:
        wait(caller, advance=step)
        with shared_fake.service.accounts.open(account_id(caller.client_id)) as account:
            job = account.state.jobs[1]
            seen.append((account.state.now_us, billing.job_cost(job, account.state.now_us), job.active))
    with shared_fake.service.accounts.open(account_id(caller.client_id)) as account:
        job, now_us = account.state.jobs[1], account.state.now_us
        told = billing.cost_over_time(job, now_us, [time for time, _, _ in seen])

    assert told == [(cost, active) for _, cost, active in seen]


@given(
    jobs=st.lists(
        st.tuples(
            st.integers(1, 4), st.integers(0, 40_000), st.sampled_from(["success", "failed", "preempted"])
        ),
        max_size=6,
    ),
    days=st.integers(1, 3),
    changes=st.booleans(),
)
def test_the_usage_of_days_is_that_of_their_hours(
    shared_fake: Fake, jobs: list[tuple[int, int, str]], days: int, changes: bool
) -> None:
    caller = shared_fake.newcomer()
    for count, wait_s, outcome in jobs:
        caller.submit(tasks_data=frames(count), metadata={"mock_outcome": outcome, "mock_duration": "30000"})
        if changes:
            wait(caller, advance=20_000)
            jid = caller.jobs()[-1]["jid"]
            query = {"account": caller.client_id}
            caller.post(f"/_mock/jobs/{jid}", {"instance_type": "n1-standard-32"}, query=query)
        wait(caller, advance=wait_s)
    with shared_fake.service.accounts.open(account_id(caller.client_id)) as account:
        state = account.state
        last = state.now_us - state.now_us % billing.DAY_US + billing.DAY_US
        first = last - days * billing.DAY_US
        told = billing.usage_by_day(state, first, last)
        summed: dict[int, billing.Usage] = {}
        for hour, one in billing.usage_by_hour(state, first, last).items():
            into = summed.setdefault(hour - hour % billing.DAY_US, billing.Usage())
            for name in ("time_us", "core_time_us", "instance_cost", "license_cost"):
                setattr(into, name, getattr(into, name) + getattr(one, name))
    assert told == summed


def test_every_attempt_is_a_bar_and_every_task_that_had_one_a_row(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = fake.newcomer()
    caller.submit(
        tasks_data=frames(7),
        preemptible=True,
        metadata={"mock_outcome": "preempted,failed", "mock_frames": "2-3"},
        autoretry_policy={"preempted": {"max_retries": 1}},
    )
    assert "Instances and attempts" not in markup(caller, "/job/1")
    wait(caller, until="idle")
    text = markup(caller, "/job/1")

    runs = re.findall(r"<g><title>([^<]*)</title><rect class=\"boot\" x=\"([\d.]+)\" y=\"(\d+)\"", text)
    with fake.service.accounts.open(account_id(caller.client_id)) as account:
        attempts = sum(len(task.attempts) for task in account.state.jobs[1].tasks)
    assert len(runs) == attempts > 7
    assert {int(row) for _, _, row in runs} == {row * 10 + 1 for row in range(7)}
    assert all(0 <= float(start) < timeline.WIDTH for _, start, _ in runs)
    assert "task 001, attempt 2: failed, ran" in text
    assert re.search(r"The cost rises to 0\.\d+ USD; at most \d+ instances? at once", text)
    monkeypatch.setattr(timeline, "MOST_ROWS", 3)
    assert "Left out here: 4 more tasks." in markup(caller, "/job/1")


def test_a_warning_stands_at_its_field(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(project="no such project", unheard_of={"deep": 1}, **{"a field": 2})
    text = markup(caller, "/job/1")

    for line, warning in re.findall(r"<mark>([^<]*)</mark>\n<strong>▲ ([^<]*)</strong>", text):
        name = re.match(r'\s*"([^"]*)"', line)
        assert name is not None
        assert warning.startswith(f"/{name[1]} ")
    marked = re.findall(r'<mark>\s*"([^"]*)"', text)
    assert set(marked) == {"project", "unheard_of", "a field"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_the_lines_of_a_payload_are_its_json(given_: Json) -> None:
    assert json.loads("\n".join(line.text for line in payload.lines(given_, ()))) == given_


def test_a_long_payload_ends_with_a_word_of_it() -> None:
    shown = payload.lines({"tasks_data": frames(5000)}, ())
    assert len(shown) <= payload.MOST_LINES + 1
    assert shown[-1].text == "... the rest is left out here"


def test_a_payload_is_shown_beside_what_it_was_read_as(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(
        tasks_data=...,
        command="render <frame args>",
        frame_range="1-10",
        chunk_size=4,
        instance_type=...,
        cores=8,
        machine_flavor="highmem",
        priority="7",
    )
    text = markup(caller, "/job/1")
    shown = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", text[text.index('<dl class="read">') :]))

    assert '"frame_range": "1-10"' in text
    assert shown["Machine"] == "n1-highmem-8"
    assert shown["Priority"] == "7"
    assert shown["Tasks"].splitlines() == ["3", "1-4: render 1-4", "5-8: render 5-8", "9-10: render 9-10"]


def test_a_variable_comes_from_its_package_from_the_account_or_from_the_submitter(fake: Fake) -> None:
    package = next(
        record
        for record in fake.service.catalog.packages
        if any(one["merge_policy"] == "append" for one in record.get("environment") or ())
    )
    appended = next(one for one in package["environment"] if one["merge_policy"] == "append")
    own = fake.service.catalog.env_vars[0]
    sources = {
        variable.name: variable.source
        for variable in payload.environment(
            read(
                {
                    "software_package_ids": [package["package_id"]],
                    "environment": {
                        appended["name"]: f"/my/own:{appended['value']}",
                        own["name"]: str(own["value"]),
                        "SHOW": "lamp",
                    },
                }
            ),
            fake.service.catalog,
        )
    }
    assert sources["SHOW"] == "the submitter"
    assert sources[own["name"]] == "the account"
    assert sources[appended["name"]].startswith(package["product"])
    assert sources[appended["name"]].endswith(" and the submitter")


def test_what_is_live_is_the_same_in_a_renewal_and_the_rest_is_left_out(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(tasks_data=frames(3), environment={"SHOW": "lamp"})
    wait(caller, advance=70)
    query = {"account": caller.client_id}
    whole, renewed = (
        re.sub(
            r'name="proof" value="\w+"',
            "",
            caller.get("/job/1", query=query, headers=headers).content.decode(),
        )
        for headers in ({}, {"X-Live": "1"})
    )
    live = re.compile(r"<section id=\"\w+\"[^>]* data-live[^>]*>.*?</section>", re.DOTALL)
    assert live.findall(whole) == live.findall(renewed)
    assert len(live.findall(whole)) >= 4
    assert "SHOW" in whole
    assert "SHOW" not in renewed


def test_the_player_shows_the_finished_frames_one_at_a_time(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = fake.newcomer()
    caller.submit(tasks_data=frames(4), metadata={"mock_outcome": "failed", "mock_frames": "2"})
    assert "No frame is finished yet" in markup(caller, "/job/1/player")
    wait(caller, until="idle")

    seen, task = [], "000"
    while True:
        text = markup(caller, "/job/1/player", task=task)
        (picture,) = re.findall(r'<img src="([^"]*)"', text)
        assert caller.get(picture).headers["Content-Type"] == "image/png"
        seen.append(re.findall(r'alt="Frame (\w+)"', text)[0])
        following = re.findall(r'rel="next" href="[^"]*task=(\d+)', text)
        if not following:
            break
        task = following[0]
    assert seen == ["1", "3", "4"]
    monkeypatch.setattr(player, "MOST_FRAMES", 2)
    assert "Left out here: 1 more frame." in markup(caller, "/job/1/player", task="no such task")


SECRETS = ("VRAY_TOKEN", "studioPassword", "AWS_SECRET_ACCESS_KEY", "MY_API_KEY_2", "PRIVATE_THING")


def test_a_secret_of_a_job_is_on_no_page(fake: Fake) -> None:
    """Whatever says by its name that it is secret, wherever a client puts it."""
    caller = fake.newcomer()
    hidden = {name: f"h1dden-{number}" for number, name in enumerate(SECRETS)}
    given_ = " ".join(f"{name}={value}" for name, value in hidden.items())
    caller.submit(
        environment=hidden,
        metadata=hidden,
        tasks_data=[{"command": f"env {given_} render", "frames": "1"}],
        extra=hidden,
    )
    wait(caller, until="idle")
    caller.get("/nowhere", query=hidden, headers={f"X-{name}": value for name, value in hidden.items()})
    entries = caller.get("/_mock/requests", query={"account": caller.client_id}).json()["requests"]

    paths = ["/", "/job/1", "/jobs/1/0", "/jobs/1/0/log", "/requests", "/search", "/clock"]
    paths += [f"/requests/{entry['id']}" for entry in entries]
    for path in paths:
        assert "h1dden" not in markup(caller, path, q="render"), path
    assert "VRAY_TOKEN" in markup(caller, "/job/1"), "the name is shown"


def test_a_request_is_copied_as_a_test_that_passes(fake: Fake, conductor_mock: testkit.Fake) -> None:
    """Those that were served and those that were refused; whatever was in them it is a program."""
    caller = fake.newcomer()
    caller.submit(job_title="quotes ' \" \\ and \n lines")
    caller.get("/api/v1/projects/", query={"a'b": '"""'})
    caller.get("/api/v1/jobs", headers={"X-Odd": "é'\""})
    caller.get("/nowhere/'\\")
    entries = caller.get("/_mock/requests", query={"account": caller.client_id}).json()["requests"]
    assert len(entries) >= 3
    for entry in entries:
        if entry["operation"] == "auth.token":  # the key is hidden
            continue
        text = markup(caller, f"/requests/{entry['id']}")
        (source,) = re.findall(r'aria-label="The request as a test">(.*?)</pre>', text, re.DOTALL)
        names: Json = {}
        exec(compile(source, "copied", "exec"), names)
        (test,) = (value for name, value in names.items() if name.startswith("test_"))
        test(conductor_mock)
    conductor_mock.reset()


def test_a_request_without_an_operation_names_the_closest_one(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.get("/api/v1/project")

    listed = markup(caller, "/requests")
    number, *_ = re.findall(r'data-label="No\."><a href="/requests/(\d+)', listed)
    assert "Probably meant: GET /api/v1/projects/ (projects.list)" in re.sub(
        r"<[^>]*>", "", markup(caller, f"/requests/{number}")
    )
    assert "/api/v1/project<" in listed
    assert "/api/v1/project<" not in markup(caller, "/requests", of="nobody")


def test_a_page_shows_the_last_mails_of_a_job_and_how_many_were_before(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "MOST_MAILS", 2)
    caller = fake.newcomer()
    caller.submit(
        tasks_data=[{"command": "render", "frames": "1"}],
        metadata={"mock_outcome": "failed"},
        notify={"emails": ["a@studio.example"]},
    )
    for told in ("", "", "Left out here: 1 earlier mail.", "Left out here: 2 earlier mails."):
        wait(caller, until="idle")
        page = markup(caller, "/job/1")
        assert "has ended: failed" in page
        assert "It has 1 task;" in page
        assert page.count("has ended: failed") <= 2
        assert (told in page) if told else ("Left out here" not in page)
        with fake.service.accounts.open(account_id(caller.client_id)) as account:
            account.append(act_on_jobs(account.state, Action.RETRY_FAILED, ["1"]))
