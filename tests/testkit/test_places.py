"""A fake on a socket: accounts of one server beside each other, a server that is not there, one of somebody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest
import requests
import responses

from conductor_mock.app import create_app
from conductor_mock.inprocess import URL
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.testkit import ControlError, Fake, mock_conductor
from conductor_mock.testkit.beginning import OF_AN_ACCOUNT, Beginning
from conductor_mock.testkit.control import Control
from conductor_mock.testkit.mocking import new_account
from conductor_mock.testkit.places import Elsewhere, Listening, listening
from conductor_mock.testkit.serving import account_of, served
from conductor_mock.testkit.values import Account
from support.testkit import JOB, submit

CATALOG = {"projects": [{"id": "1", "name": "batman", "status": "active"}]}


@pytest.fixture(scope="module")
def place() -> Iterator[Listening]:
    with listening(Settings()) as opened:
        yield opened


def test_an_account_of_a_server_that_goes_on_is_emptied_however_its_test_ends(place: Listening) -> None:
    fakes = []

    def fail() -> NoReturn:
        with account_of(place) as fake:
            fakes.append(fake)
            fake.faults.add("jobs.list")
            submit_by_hand(fake)
            fake.stop()
            raise AssertionError("a test that fails")

    with pytest.raises(AssertionError, match="a test that fails"):
        fail()
    (fake,) = fakes
    assert (fake.jobs, fake.faults.all) == ([], [])
    assert requests.get(f"{place.url}/_mock/health").ok, "the next test finds the server as it was"


def test_an_account_begins_as_it_is_asked_to_and_others_do_not(place: Listening) -> None:
    given = {"speed": 10, "seed": 7, "fleet": 3, "provider": "s3", "part_size": 5, "release_scouts": True}
    assert {*given, "catalog"} == set(OF_AN_ACCOUNT)
    with account_of(place, Beginning.of({**given, "catalog": CATALOG})) as fake:
        for _ in range(2):
            found = {"speed": fake.clock.speed, **vars_of(fake)}
            assert found == given
            assert [project["name"] for project in fake.catalog.projects] == ["batman"]
            fake.reset()
    with account_of(place, Beginning.of({"speed": 0})) as fake:
        assert fake.clock.speed == 0
        assert vars_of(fake)["seed"] == 1
        assert len(fake.catalog.projects) > 1


def vars_of(fake: Fake) -> dict[str, object]:
    now = fake.options.now
    return {name: getattr(now, name) for name in ("seed", "fleet", "provider", "part_size", "release_scouts")}


@pytest.mark.parametrize("catalog", ["aws", CATALOG])
def test_a_catalogue_is_named_or_given(place: Listening, catalog: object) -> None:
    beginning = Beginning.of({"catalog": catalog})
    assert beginning.catalog is not None
    with account_of(place, beginning) as fake:
        assert fake.catalog.projects == list(beginning.catalog["projects"])


def test_a_server_that_is_not_there_is_back_on_its_port() -> None:
    with served() as fake:
        jid = submit()
        url = fake.url
        fake.stop()
        fake.stop()
        with pytest.raises(requests.ConnectionError):
            requests.get(url)
        assert fake.job(jid).jid == jid
        fake.start()
        fake.start()
        assert (fake.url, submit()) == (url, "00002")
        with fake.serve() as same:
            assert same == url


def test_a_server_of_somebody_else_gives_accounts_and_is_not_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Server(create_app(Settings(ephemeral=True, admin_token="secret"))) as server:
        monkeypatch.setenv("CONDUCTOR_MOCK_ADMIN_TOKEN", "secret")
        with account_of(Elsewhere(server.url), Beginning(speed=0)) as fake:
            assert submit() == "00001"
            assert fake.clock.speed == 0
            with pytest.raises(ControlError, match="serves others too"):
                fake.stop()
            with fake.serve() as url:
                assert url == server.url
    with pytest.raises(ControlError, match="does not answer"):
        Fake(Elsewhere(server.url), new_account())


def test_accounts_of_one_server_share_nothing(place: Listening) -> None:
    """Data, ids, faults, outcomes, clock, options and journal of each are its own, whoever works beside it."""
    problems: list[str] = []
    barrier = threading.Barrier(THREADS)

    def work(worker: int) -> None:
        barrier.wait()
        for number in range(ACCOUNTS // THREADS):
            seconds = 1 + worker * ACCOUNTS + number
            fake = Fake(place, new_account(), Beginning(speed=0, options={"seed": seconds}))
            begun = fake.clock.now
            fault = fake.faults.add("jobs.list", times=1)
            rule = fake.outcomes.add("failed", title=f"job {seconds}", exit_code=1 + seconds % 200)
            fake.clock.advance(seconds)
            jid = submit_by_hand(fake, job_title=f"job {seconds}")
            fake.clock.until(jid)
            (job,) = fake.jobs
            found = (
                job.jid,
                job.payload["job_title"],
                {attempt.exit_code for task in job.tasks for attempt in task.attempts},
                (fault.seen, rule.seen, rule.consumed, fake.options.now.seed),
                [request.operation for request in fake.requests()],
                (fake.clock.now - begun).total_seconds() >= seconds,
            )
            title = f"job {seconds}"
            wanted = (
                "00001",
                title,
                {1 + seconds % 200},
                (0, 2, 2, seconds),
                ["auth.token", "jobs.create"],
                True,
            )
            if found != wanted:
                problems.append(f"{found} is not {wanted}")
            fake.empty()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


THREADS, ACCOUNTS = 10, 50


def submit_by_hand(fake: Fake, **more: object) -> str:
    """Submit in a way that needs no variable of the process: threads share those."""
    with requests.Session() as session:
        session.trust_env = False
        query = {
            "grant_type": "client_credentials", "scope": "user",
            "client_id": fake.account.client_id, "client_secret": fake.account.private_key,
        }  # fmt: skip
        token = session.get(f"{fake.url}/api/oauth_jwt", params=query).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = session.post(f"{fake.url}/jobs/", json={**JOB, **more}, headers=headers)
        answer.raise_for_status()
        return str(answer.json()["jobid"])


@pytest.mark.prove
def test_a_thousand_accounts_of_one_server_share_nothing(
    place: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "THREADS", 50)
    monkeypatch.setitem(globals(), "ACCOUNTS", 1000)
    test_accounts_of_one_server_share_nothing(place)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/api/v1/jobs", timeout=20).status_code == 401
    except requests.ConnectionError:
        return False


def test_a_fake_that_is_stopped_answers_at_none_of_its_sockets() -> None:
    with mock_conductor() as fake, fake.serve() as first, fake.serve() as second:
        urls = (URL, first, second)
        assert [answers(url) for url in urls] == [True, True, True]
        for _ in range(2):
            fake.stop()
            assert [answers(url) for url in urls] == [False, False, False]
        with fake.serve() as third:
            assert not answers(third)
            for _ in range(2):
                fake.start()
                assert [answers(url) for url in (*urls, third)] == [True, True, True, True]
        assert not answers(third)


def test_a_port_that_another_program_took_is_told() -> None:
    with listening(Settings()) as place:
        place.stop()
        port = int(place.url.rpartition(":")[2])
        with (
            socket.create_server(("127.0.0.1", port)),
            pytest.raises(ControlError, match=f"port {port}.*taken"),
        ):
            place.start()


def test_a_fake_elsewhere_is_asked_past_a_mock_of_responses(place: Listening) -> None:
    with (
        account_of(Elsewhere(place.url)) as fake,
        responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
    ):
        mock.get(f"{place.url}/mine", json=1)
        assert requests.get(f"{place.url}/mine", timeout=20).json() == 1
        assert fake.jobs == []


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b"[" * 100_000), (302, b""), (404, b"{}"), (503, b"\xff")]
)
def test_what_is_no_fake_is_told(monkeypatch: pytest.MonkeyPatch, status: int, body: bytes) -> None:
    def send(*_: object, **__: object) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer._content = status, body
        return answer

    place = Elsewhere("http://127.0.0.1:1")
    adapter = place.control_adapter()
    monkeypatch.setattr(adapter, "send", send)
    with pytest.raises(ControlError, match=r"http://127\.0\.0\.1:1 "):
        Control(place.url, Account("a", "b"), adapter).ask("GET", "jobs")
