"""Jobs of one account that arrive together: one commit has them all, and nobody is told what is not on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm import fold
from conductor_mock.farm.commands import JobCreated
from conductor_mock.farm.ids import account_id
from conductor_mock.store.heads import End
from conductor_mock.store.log import INLINE_BYTES
from conductor_mock.store.pending import MOST_TOGETHER, Pending
from conductor_mock.store.slots import MOST_PASSED_ON, Slots
from conductor_mock.store.unavailable import UnavailableError
from support.examples import examples
from support.execution import eventually
from support.server import Answer, ApiCaller, Fake, job_file, job_payload, running
from support.states import image

Request = Callable[[], Answer]
PATIENCE_S = 60


class Commits:
    """The commits of a fake's commands: how many commands each has, and which of them fail."""

    def __init__(self, fake: Fake, failing: Sequence[bool] = ()) -> None:
        self.sizes: list[int] = []
        self.jobs = 0
        self._failing = iter(failing)
        self._append = fake.service.log.append_rows

    def append_rows(self, account: str, commands: Sequence[Any], rows: Sequence[Any]) -> None:
        if next(self._failing, False):
            raise OSError(5, "Input/output error")
        self.sizes.append(len(commands))
        self._append(account, commands, rows)
        self.jobs += sum(row["kind"] == JobCreated.kind for row in commands)


@contextmanager
def watched(fake: Fake, failing: Sequence[bool] = ()) -> Iterator[Commits]:
    """For the block, the commits of a fake are counted, and fail as said."""
    commits = Commits(fake, failing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake.service.log, "append_rows", commits.append_rows)
        yield commits


def at_once(fake: Fake, caller: ApiCaller, requests: Sequence[Request]) -> list[Answer]:
    """The answers to requests that have waited for the account of a caller together."""
    account, slots = account_id(caller.client_id), fake.service.accounts._slots
    with ThreadPoolExecutor(len(requests)) as pool:
        with fake.service.accounts.open(account):
            sent = [pool.submit(request) for request in requests]
            eventually(lambda: slots._slots[account].waiting == len(requests))
        return [future.result() for future in sent]


def submitting(caller: ApiCaller, title: str, key: str | None = None, *, large: bool = False) -> Request:
    payload = job_payload(job_title=title, metadata={"a": "b" * INLINE_BYTES} if large else {})
    headers = {} if key is None else {"Idempotency-Key": key}
    return lambda: caller.post("/jobs/", payload, headers=headers)


def titles_in_log(fake: Fake, caller: ApiCaller) -> list[str]:
    """The titles of the jobs that are on disk, in order."""
    commands = [record.command for record in fake.service.log.read(account_id(caller.client_id))]
    return [command.payload["job_title"] for command in commands if isinstance(command, JobCreated)]


def is_as_its_log(fake: Fake, caller: ApiCaller) -> bool:
    """Whether the state in memory is what the log alone gives."""
    state = fold.replay(fake.service.log.read(account_id(caller.client_id)))
    assert state is not None
    fold.advance(state, state.clock.at(fake.wall()))
    return bool(image(state) == image(fake.state(caller)))


@pytest.mark.parametrize("count", [1, 2, MOST_TOGETHER, 2 * MOST_TOGETHER + 1])
def test_jobs_that_wait_for_an_account_share_a_commit(fake: Fake, count: int) -> None:
    caller = fake.newcomer()
    with watched(fake) as commits:
        answers = at_once(fake, caller, [submitting(caller, f"{number}") for number in range(count)])
    assert sorted(answer.json()["jobid"] for answer in answers) == [f"{n + 1:05d}" for n in range(count)]
    assert sum(commits.sizes) == count
    assert len(commits.sizes) == -(-count // MOST_TOGETHER)
    assert is_as_its_log(fake, caller)


def test_all_jobs_of_a_commit_that_fails_are_refused_and_none_of_them_was_there(fake: Fake) -> None:
    caller = fake.newcomer()
    requests = [submitting(caller, f"{number}", "key") for number in range(5)]
    with watched(fake, [True]):
        answers = at_once(fake, caller, requests)
    # One made the job and the others were refused because of it: there is none, so nobody is told of it.
    assert [answer.status for answer in answers] == [503] * 5
    assert titles_in_log(fake, caller) == []
    assert is_as_its_log(fake, caller)
    assert requests[0]().json()["jobid"] == "00001"


def test_the_same_submission_at_once_is_one_job_and_another_one_with_its_key_is_refused(fake: Fake) -> None:
    caller = fake.newcomer()
    same = [submitting(caller, "same", "key")] * 3
    answers = at_once(fake, caller, same)
    assert [(answer.status, answer.json()["jobid"]) for answer in answers] == [(201, "00001")] * 3
    answers = at_once(fake, caller, [submitting(caller, "other", "key"), submitting(caller, "more", "new")])
    assert sorted(answer.status for answer in answers) == [201, 409]
    assert sorted(titles_in_log(fake, caller)) == ["more", "same"]


@pytest.fixture(scope="module")
def crowded() -> Iterator[Callable[[], Fake]]:
    """A fake that is hidden, since what hypothesis shows of a failure has all of it."""
    with running() as fake:
        yield lambda: fake


@examples(25)
@given(
    kinds=st.lists(
        st.sampled_from(["job", "job", "large job", "list", "kill", "look"]), min_size=2, max_size=8
    ),
    failing=st.lists(st.booleans(), max_size=6),
)
def test_who_is_answered_is_told_only_what_is_on_disk(
    crowded: Callable[[], Fake], kinds: list[str], failing: list[bool]
) -> None:
    """Jobs, small and large, lists and actions that wait together, in whatever order they get their turn."""
    fake = crowded()
    caller = fake.newcomer()
    listed: list[tuple[int, int, set[str]]] = []

    def listing() -> Answer:
        answer = caller.get("/api/v1/jobs")
        if answer.status == 200:
            titles = {record["title"] for record in answer.json()["data"]}
            listed.append((len(titles), commits.jobs, titles))
        return answer

    def killing() -> Answer:
        return caller.request("PUT", "/jobs_multi", body={"action": "kill", "jobids": ["00001"]})

    def looking() -> Answer:
        with fake.service.accounts.open(account_id(caller.client_id)) as account:
            end = fake.service.log.end(account.account_id)
            is_on_disk = end is not None and end.seq == account.state.seq
        return Answer(200 if is_on_disk else 500, {}, b"")

    others: dict[str, Request] = {"list": listing, "kill": killing, "look": looking}
    requests = [
        others.get(kind) or submitting(caller, f"{n}", large=kind == "large job")
        for n, kind in enumerate(kinds)
    ]
    with watched(fake, failing) as commits:
        answers = at_once(fake, caller, requests)
    accepted = {str(number) for number, answer in enumerate(answers) if answer.status == 201}
    assert {answer.status for answer in answers} <= {200, 201, 404, 409} | ({503} if any(failing) else set())
    assert accepted == set(titles_in_log(fake, caller))
    assert all(count <= on_disk and titles <= accepted for count, on_disk, titles in listed)
    assert is_as_its_log(fake, caller)


@pytest.mark.parametrize("failing", ["nothing", "the commit", "the store"])
def test_nobody_waits_for_the_store_that_another_ones_job_asks(fake: Fake, failing: str) -> None:
    """A store on another machine may not answer; whose job was pending by then is told at once what became of it."""
    caller, fails = fake.newcomer(), failing == "the commit"
    account, slots = account_id(caller.client_id), fake.service.accounts._slots
    caller.upload("/proj/a", b"content")
    payload = job_payload(upload_files=[job_file("/proj/a", b"content")])
    answers = threading.Event()
    there = fake.service.objects.still_there

    def asked_elsewhere(md5s: Collection[bytes], before_waiting: Callable[[], object]) -> set[bytes]:
        before_waiting()
        assert answers.wait(PATIENCE_S)
        if failing == "the store":
            raise OSError(5, "Input/output error")
        return there(md5s)

    second: list[Future[Answer]] = []
    declarations = fake.service.contents.declarations

    def second_comes_then(account_id: str, files: Any) -> Any:
        """The first one has the account, and is about to bring its command."""
        if not second:
            second.append(pool.submit(caller.post, "/jobs/", payload))
            eventually(lambda: slots._slots[account].waiting == 1)
        return declarations(account_id, files)

    with fake.service.accounts.open(account) as opened:
        state = opened.state
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool, watched(fake, [fails]):
        patch.setattr(fake.service.objects, "still_there", asked_elsewhere)
        patch.setattr(fake.service.contents, "declarations", second_comes_then)
        first = pool.submit(submitting(caller, "first"))
        try:
            assert first.result(PATIENCE_S).status == (503 if fails else 201)
            assert fails or not second[0].done()
        finally:
            answers.set()
        assert second[0].result(PATIENCE_S).status == (201 if failing == "nothing" else 503)
    if fails:
        assert first.result().message == second[0].result().message
    else:
        assert slots._slots[account].state is state, "it need not be read again"
    assert (
        titles_in_log(fake, caller)
        == ["first", "A test"][: 0 if fails else 1 if failing == "the store" else 2]
    )
    assert is_as_its_log(fake, caller)


def test_watchers_of_an_account_are_told_once_the_job_can_be_seen(fake: Fake) -> None:
    caller = fake.newcomer()
    account = account_id(caller.client_id)
    seen: list[tuple[object, object]] = []
    note = fake.service.accounts.changes.note

    def noted(which: str) -> None:
        time = fake.service.accounts.glance(account)
        assert time is not None
        seen.append(time.changes)
        note(which)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake.service.accounts.changes, "note", noted)
        at_once(fake, caller, [submitting(caller, f"{number}") for number in range(4)])
    assert [commands for commands, _ in seen] == [5] * 4


class Outside:
    """The lock of one account between servers, and a log whose end is as far as it was committed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.committed: list[bool] = []

    @contextmanager
    def hold(self, account_id: str) -> Iterator[None]:
        with self.lock:
            yield

    @contextmanager
    def try_hold(self, account_id: str) -> Iterator[bool]:
        yield False

    def end(self, account_id: str) -> End | None:
        return None

    def commit(self, things: list[int]) -> None:
        self.committed += [self.lock.locked()] * len(things)


@pytest.mark.parametrize("count", [1, MOST_PASSED_ON + 1, 3 * MOST_PASSED_ON])
def test_no_other_server_has_an_account_before_what_is_pending_is_on_disk(fake: Fake, count: int) -> None:
    state = fake.state(fake.newcomer())
    outside = Outside()
    slots = Slots(outside)

    def bring() -> None:
        with slots.hold("1", joins=True) as slot:
            slot.state = state
            if slot.pending is None:
                slot.pending = Pending(outside.commit)
            slot.pending.add(1)

    with ThreadPoolExecutor(count) as pool:
        with slots.hold("1"):
            sent = [pool.submit(bring) for _ in range(count)]
            eventually(lambda: slots._slots["1"].waiting == count)
        for future in sent:
            future.result()
    assert outside.committed == [True] * count
    assert not outside.lock.locked()
    assert slots._slots["1"].pending is None


def test_whoever_is_interrupted_in_a_commit_is_and_the_others_are_told() -> None:
    def commit(_: list[int]) -> None:
        raise KeyboardInterrupt

    pending = Pending[int](commit)
    pending.add(1)
    with pytest.raises(KeyboardInterrupt):
        pending.commit()
    pending.tell()
    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(pending.wait).exception(), UnavailableError)
