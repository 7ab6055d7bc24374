"""A job is submitted at most once: keys, what is looked for in the job list, and what cannot be decided."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Union

import pytest
import requests
import responses

from conductor.lib.api_client import ApiClient
from conductor.lib.cancellation import CancelledError
from conductor.lib.exceptions import (
    Acted,
    BusyError,
    LoginError,
    OutcomeUnknownError,
    RefusedError,
    UnreachableError,
)
from conductor.lib.submission.ledger import Ledger, ledger_folder
from conductor.lib.submission.send import LOOKS
from conductor.lib.wire.transport import ANNOUNCEMENT
from support.client_world import NOW, URL, FixedTokens, make_client

JOB = {"job_title": "T", "owner": "kim"}
DROPPED = requests.ConnectionError("reset")
SLOW = requests.ReadTimeout("slow")
UNREADABLE: tuple[int, dict[str, str], str] = (201, {}, "{")
LATE: tuple[int, dict[str, str], str] = (504, {}, "")

Reply = Union[tuple[int, dict[str, str], str], requests.RequestException]


def record(jid: str, **fields: Any) -> dict[str, Any]:
    created = datetime.fromtimestamp(NOW + 1, timezone.utc).isoformat()
    return {"jid": jid, "title": "T", "owner": "kim", "created": created, **fields}


@dataclass
class Service:
    """Answers posts from a script and then well; `lists` are the job lists it shows after the first post, the last one
    for ever, and `before` the one until then.
    """

    script: list[Reply] = field(default_factory=list)
    lists: list[Any] = field(default_factory=lambda: [[]])
    before: Any = field(default_factory=list)
    honours: bool = False
    ahead: float = 0.0
    posts: list[requests.PreparedRequest] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    on_post: Callable[[], object] = lambda: None

    def install(self, mock: responses.RequestsMock) -> None:
        mock.add_callback("POST", f"{URL}/jobs/", self._post)
        mock.add_callback("GET", f"{URL}/api/v1/jobs", self._list)

    def _post(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        self.posts.append(request)
        self.on_post()
        reply = self.script.pop(0) if self.script else (201, {}, '{"jobid": "00001"}')
        if isinstance(reply, requests.RequestException):
            raise reply
        status, headers, body = reply
        return status, {**self._headers(), **headers}, body

    def _list(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        self.filters.append(dict(getattr(request, "params", {}))["filter"])
        if not self.posts:
            shown = self.before
        else:
            shown = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(shown, Exception):
            raise shown
        return 200, self._headers(), json.dumps(shown if isinstance(shown, dict) else {"data": shown})

    def _headers(self) -> dict[str, str]:
        date = datetime.fromtimestamp(NOW + self.ahead, timezone.utc)
        announced = {ANNOUNCEMENT: "Idempotency-Key"} if self.honours else {}
        return {"Date": format_datetime(date, usegmt=True), **announced}


@pytest.fixture
def service() -> Iterator[Service]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        opened = Service()
        opened.install(mock)
        yield opened


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(tmp_path: Path, waits: list[float]) -> Iterator[ApiClient]:
    with make_client(tmp_path, waits=waits) as opened:
        yield opened


def test_each_submission_has_a_key_of_its_own(service: Service, client: ApiClient) -> None:
    for _ in range(2):
        client.create_job(JOB)
    first, second = (uuid.UUID(post.headers["Idempotency-Key"]) for post in service.posts)
    assert first != second
    assert [json.loads(post.body or "") for post in service.posts] == [JOB, JOB]


def test_a_key_can_be_given(service: Service, client: ApiClient) -> None:
    client.create_job(JOB, key="mine")
    assert service.posts[0].headers["Idempotency-Key"] == "mine"


@pytest.mark.parametrize("reply", [DROPPED, SLOW, UNREADABLE, LATE, (500, {}, ""), (200, {}, "{}")])
def test_where_keys_are_announced_the_same_bytes_go_again_with_the_same_key(
    service: Service, client: ApiClient, reply: Reply
) -> None:
    service.honours = True
    client.list_jobs("jid_gt_00000")  # an earlier answer, which announces
    service.script = [reply]
    service.lists = [[]]
    assert client.create_job(JOB) == ({"jobid": "00001"}, 201)
    first, second = service.posts
    assert (first.body, first.headers["Idempotency-Key"]) == (second.body, second.headers["Idempotency-Key"])


@pytest.mark.parametrize("body", ['{"jobid": 7}', '{"jobid": ""}', '{"jobid": null}', "[]"])
def test_an_answer_without_an_id_is_not_taken_for_one(service: Service, client: ApiClient, body: str) -> None:
    service.script = [(201, {}, body)]
    with pytest.raises(OutcomeUnknownError, match=r"its (jobid must be text|body must be an object)"):
        client.create_job(JOB)


def test_a_service_that_has_nothing_to_do_for_a_job_made_none(service: Service, client: ApiClient) -> None:
    service.script = [(204, {}, "")]
    assert client.create_job(JOB) == ({}, 204)


def test_the_id_of_a_job_is_noted_for_others_and_nobody_else_can_read_it(
    service: Service, client: ApiClient
) -> None:
    client.create_job(JOB)
    (note,) = ledger_folder().iterdir()
    assert note.read_text(encoding="utf-8") == "00001"
    assert (ledger_folder().stat().st_mode & 0o777, note.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_note_that_somebody_removed_is_no_trouble_where_no_job_was_made(
    service: Service, client: ApiClient
) -> None:
    def remove() -> None:
        for note in ledger_folder().iterdir():
            note.unlink()

    service.on_post = remove
    service.script = [(400, {}, "no")]
    with pytest.raises(RefusedError):
        client.create_job(JOB)


def test_a_submission_under_way_is_noted_where_nobody_else_can_read_it() -> None:
    with Ledger(ledger_folder(), URL, "T").entry():
        (note,) = ledger_folder().iterdir()
        assert note.stat().st_mode & 0o777 == 0o600


def test_what_is_odd_about_a_job_is_said_though_it_was_made(
    service: Service, client: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    odd = json.dumps(["no such project", 7, "two\nlines"])
    service.script = [(201, {"X-Conductor-Mock-Warnings": odd}, '{"jobid": "00001"}')]
    assert client.create_job(JOB)[0]["jobid"] == "00001"
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == ["jobs.create: 00001: no such project", "jobs.create: 00001: two lines"]


@pytest.mark.parametrize("header", ["{", "7", '"text"', "{}", "[" * 100_000], ids=lambda text: text[:5])
def test_oddities_that_cannot_be_read_are_none(
    service: Service, client: ApiClient, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    service.script = [(201, {"X-Conductor-Mock-Warnings": header}, '{"jobid": "00001"}')]
    assert client.create_job(JOB)[0]["jobid"] == "00001"
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_a_job_is_looked_for_in_the_time_of_the_service(
    service: Service, client: ApiClient, ahead: float
) -> None:
    service.ahead = ahead
    service.script = [DROPPED]
    created = datetime.fromtimestamp(NOW + ahead + 1, timezone.utc).isoformat()
    service.lists = [[record("00007", created=created)]]
    assert client.create_job(JOB)[0]["jobid"] == "00007"


@pytest.mark.parametrize("broken", ["gone", "no text"])
def test_a_note_that_cannot_be_read_is_one_of_a_submission_that_may_have_made_the_job(
    service: Service, client: ApiClient, broken: str
) -> None:
    def break_it() -> None:
        note.unlink()
        if broken == "gone":
            note.symlink_to("nowhere")
        else:
            note.mkdir()

    with Ledger(ledger_folder(), URL, "T").entry():
        (note,) = ledger_folder().iterdir()
        service.on_post = break_it
        service.script = [DROPPED]
        service.lists = [[record("00007")]]
        if broken == "gone":  # who made no job takes its note away
            assert client.create_job(JOB)[0]["jobid"] == "00007"
        else:
            with pytest.raises(OutcomeUnknownError, match="may be job 00007"):
                client.create_job(JOB)


def test_a_note_that_goes_while_old_ones_are_looked_for_is_no_trouble(
    service: Service, client: ApiClient
) -> None:
    ledger_folder().mkdir(parents=True)
    (ledger_folder() / "gone").symlink_to("nowhere")
    service.script = [DROPPED]
    service.lists = [[record("00007")]]
    assert client.create_job(JOB)[0]["jobid"] == "00007"


def test_a_service_that_stops_announcing_is_not_trusted_any_more(service: Service, client: ApiClient) -> None:
    service.honours = True
    client.list_jobs("jid_gt_00000")
    service.honours = False
    client.list_jobs("jid_gt_00000")
    service.script = [SLOW]
    with pytest.raises(OutcomeUnknownError):
        client.create_job(JOB)
    assert len(service.posts) == 1


@pytest.mark.parametrize("reply", [DROPPED, SLOW, UNREADABLE, LATE, (500, {}, "")])
def test_a_job_that_is_in_the_list_was_submitted(service: Service, client: ApiClient, reply: Reply) -> None:
    service.script = [reply]
    service.lists = [[record("00006", title="U"), record("00007")]]
    answer = {"body": "job submitted.", "jobid": "00007", "status": "success", "uri": "/jobs/00007"}
    assert client.create_job(JOB) == (answer, 201), "as the service would have said"
    assert len(service.posts) == 1


def test_a_job_may_show_up_late(service: Service, client: ApiClient, waits: list[float]) -> None:
    service.script = [SLOW]
    service.lists = [[], [], [record("00007")]]
    assert client.create_job(JOB)[0]["jobid"] == "00007"
    assert waits == [wait for wait in LOOKS[:3] if wait]


@pytest.mark.parametrize(("reply", "kind"), [(DROPPED, UnreachableError), ((500, {}, "oops"), BusyError)])
def test_a_job_that_is_not_there_when_the_server_is_done_can_be_submitted_again(
    service: Service, client: ApiClient, waits: list[float], reply: Reply, kind: type[Exception]
) -> None:
    service.script = [reply]
    with pytest.raises(kind, match="has no such job: no job was made, submit again") as caught:
        client.create_job(JOB)
    assert vars(caught.value)["acted"] is Acted.NO
    assert "unknown" not in str(caught.value)
    assert str(caught.value).startswith("jobs.create: "), "what happened comes first"
    assert len(service.posts) == 1
    assert waits == [wait for wait in LOOKS if wait]


@pytest.mark.parametrize("reply", [SLOW, LATE, (502, {}, ""), (200, {}, "{}"), UNREADABLE])
def test_a_job_that_is_not_there_may_still_be_made_where_the_server_may_be_at_it(
    service: Service, client: ApiClient, reply: Reply
) -> None:
    service.script = [reply]
    with pytest.raises(OutcomeUnknownError, match=r"look for a job titled 'T'.*it may still be made"):
        client.create_job(JOB)
    assert len(service.posts) == 1


def test_two_jobs_that_fit_are_named_and_not_chosen_from(service: Service, client: ApiClient) -> None:
    service.script = [DROPPED]
    service.lists = [[record("00007"), record("00008")]]
    with pytest.raises(OutcomeUnknownError, match="it may be job 00007, 00008") as caught:
        client.create_job(JOB)
    assert caught.value.candidates == ("00007", "00008")


def test_a_job_that_was_there_before_is_not_taken_for_it(service: Service, client: ApiClient) -> None:
    service.script = [DROPPED]
    service.before = [record("00001")]
    service.lists = [[record("00001")]]
    with pytest.raises(UnreachableError, match="no job was made"):
        client.create_job(JOB)


@pytest.mark.parametrize("ended", ["with its job", "without a job", "unknown"])
def test_what_another_submission_made_meanwhile_is_not_taken_for_it(
    service: Service, client: ApiClient, ended: str
) -> None:
    """The other one is of another process: only what lies in the ledger is common to both."""
    other = Ledger(ledger_folder(), URL, "T").entry()
    with other as entry:
        service.on_post = {
            "with its job": lambda: entry.made("00001"),
            "without a job": entry.none,
            "unknown": lambda: None,
        }[ended]
        service.script = [DROPPED]
        service.lists = [[record("00001")]]
        if ended == "without a job":
            assert client.create_job(JOB)[0]["jobid"] == "00001"
            return
        kind = UnreachableError if ended == "with its job" else OutcomeUnknownError
        with pytest.raises(kind, match=r"no job was made|may be job 00001"):
            client.create_job(JOB)


def test_a_submission_of_another_title_is_no_reason_to_doubt(service: Service, client: ApiClient) -> None:
    service.script = [DROPPED]
    service.lists = [[record("00007")]]
    with Ledger(ledger_folder(), URL, "U").entry(), Ledger(ledger_folder(), f"{URL}:81", "T").entry():
        assert client.create_job(JOB)[0]["jobid"] == "00007"


def test_a_submission_that_was_lost_long_ago_is_no_reason_to_doubt(
    service: Service, client: ApiClient
) -> None:
    with Ledger(ledger_folder(), URL, "T").entry():
        (note,) = ledger_folder().iterdir()
    os.utime(note, (0, 0))
    service.script = [DROPPED]
    service.lists = [[record("00007")]]
    assert client.create_job(JOB)[0]["jobid"] == "00007"
    assert not note.exists()


def test_where_submissions_cannot_be_noted_no_job_of_the_list_is_certain(
    service: Service, client: ApiClient
) -> None:
    ledger_folder().parent.mkdir(parents=True)
    ledger_folder().write_text("in the way")
    service.script = [DROPPED]
    service.lists = [[record("00007")]]
    with pytest.raises(OutcomeUnknownError, match="may be job 00007"):
        client.create_job(JOB)


@pytest.mark.parametrize("before", [DROPPED, {}])
def test_where_it_is_not_known_what_was_there_before_no_job_is_certain(
    service: Service, client: ApiClient, waits: list[float], before: Any
) -> None:
    service.script = [DROPPED]
    service.before = before
    service.lists = [[record("00007")]]
    with pytest.raises(OutcomeUnknownError, match="may be job 00007"):
        client.create_job(JOB)
    assert waits == [], "what is only wanted in case of need is not waited for"


def test_where_it_is_not_known_what_was_there_a_job_of_another_is_not_certain_either(
    service: Service, client: ApiClient
) -> None:
    with Ledger(ledger_folder(), URL, "T").entry() as other:
        service.on_post = lambda: other.made("00007")
        service.script = [DROPPED]
        service.before = DROPPED
        service.lists = [[record("00007")]]
        with pytest.raises(OutcomeUnknownError, match="may be job 00007"):
            client.create_job(JOB)


def test_a_submission_that_is_cancelled_while_it_looks_what_is_there_sends_nothing(
    service: Service, client: ApiClient
) -> None:
    service.before = CancelledError("cancelled")
    with pytest.raises(CancelledError):
        client.create_job(JOB)
    assert service.posts == []


def test_nothing_is_left_in_the_ledger_of_a_submission_that_made_nothing(
    service: Service, client: ApiClient
) -> None:
    service.script = [(400, {}, "no"), DROPPED]
    for kind in (RefusedError, UnreachableError):
        with pytest.raises(kind):
            client.create_job(JOB)
    assert list(ledger_folder().iterdir()) == []


def test_a_client_that_has_had_no_answer_yet_learns_of_keys_before_it_sends(
    service: Service, client: ApiClient
) -> None:
    service.honours = True
    service.script = [DROPPED]
    service.before = [record("00007")]
    service.lists = [[record("00007")]]
    assert client.create_job(JOB)[0]["jobid"] == "00001"
    assert (len(service.posts), len(service.filters)) == (2, 1)
    assert list(ledger_folder().iterdir()) == [], "the key tells submissions apart"


def test_a_list_that_fails_once_is_asked_for_again_when_the_job_is_looked_for(
    service: Service, client: ApiClient
) -> None:
    service.script = [DROPPED]
    service.lists = [SLOW, [record("00007")]]
    assert client.create_job(JOB)[0]["jobid"] == "00007"


def test_a_job_without_a_title_is_looked_for_without_one(service: Service, client: ApiClient) -> None:
    service.script = [SLOW]
    with pytest.raises(OutcomeUnknownError, match="look for a job titled ''"):
        client.create_job({"owner": "kim"})


@pytest.mark.parametrize("shown", [DROPPED, {}, {"data": None}, {"data": ["x"]}, {"data": [{}, "x"]}])
def test_a_list_that_cannot_be_had_decides_nothing(service: Service, client: ApiClient, shown: Any) -> None:
    service.script = [DROPPED]
    service.lists = [shown]
    with pytest.raises(OutcomeUnknownError, match="the job list could not be read") as caught:
        client.create_job(JOB)
    assert (caught.value.operation, caught.value.attempts) == ("jobs.create", 1)


def test_clocks_that_differ_are_reckoned_with(service: Service, client: ApiClient) -> None:
    service.script = [DROPPED]
    service.ahead = -30 * 86400.0
    then = datetime.fromtimestamp(NOW - 30 * 86400 + 1, timezone.utc).isoformat()
    service.lists = [[], [record("00007", created=then), record("00006")]]
    with pytest.raises(OutcomeUnknownError) as caught:
        client.create_job(JOB)
    assert caught.value.candidates == ("00007", "00006"), "one fits; the other is from the future"
    assert service.filters == ["created_gt_2023-11-12", "created_gt_2023-10-13"] * 2, "before and after"


def test_when_only_the_list_announces_keys_the_job_is_sent_once_more(
    service: Service, client: ApiClient
) -> None:
    service.honours = True
    service.before = DROPPED
    service.script = [SLOW]
    service.lists = [[record("00007")]]
    assert client.create_job(JOB) == ({"jobid": "00001"}, 201)
    assert len({post.headers["Idempotency-Key"] for post in service.posts}) == 1
    assert len(service.posts) == 2


def test_where_keys_are_announced_nobody_looks_before_the_job_was_tried_often_and_then_once_a_look(
    service: Service, client: ApiClient
) -> None:
    service.honours = True
    client.list_jobs("jid_gt_00000")
    service.script = [LATE] * 99
    with pytest.raises(OutcomeUnknownError):
        client.create_job(JOB)
    assert (len(service.posts), len(service.filters)) == (5 + len(LOOKS), 1 + len(LOOKS)), (
        "five tries, as of any call"
    )

    service.script = [LATE] * (5 + len(LOOKS) - 1)
    assert client.create_job(JOB) == ({"jobid": "00001"}, 201), "the last try of all"


@pytest.mark.parametrize(
    ("first", "later"),
    [(SLOW, DROPPED), (SLOW, (500, {}, "")), (DROPPED, SLOW), (DROPPED, UNREADABLE), (DROPPED, LATE)],
)
def test_of_two_tries_the_one_that_leaves_more_open_is_told(
    service: Service, client: ApiClient, first: Reply, later: Reply
) -> None:
    service.script = [first, *[later] * 9]
    service.on_post = lambda: setattr(service, "honours", True)  # the list says so, after the first try
    with pytest.raises(OutcomeUnknownError, match="it may still be made"):
        client.create_job(JOB)
    assert len(service.posts) == len(LOOKS)


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_submission_that_may_have_made_a_job_stays_noted(
    service: Service, client: ApiClient, is_cancelled: bool
) -> None:
    def cancel() -> None:
        raise CancelledError("cancelled")

    service.script = [SLOW]
    if is_cancelled:
        service.on_post = cancel
    with pytest.raises((CancelledError, OutcomeUnknownError)):
        client.create_job(JOB)
    (note,) = ledger_folder().iterdir()
    assert note.read_text(encoding="utf-8") == ""


def test_a_repeat_that_was_lost_too_is_not_called_unmade(service: Service, client: ApiClient) -> None:
    service.honours = True
    service.script = [DROPPED, *[SLOW] * 10]
    with pytest.raises(OutcomeUnknownError, match="it may still be made") as caught:
        client.create_job(JOB)
    assert caught.value.under_way


@pytest.mark.parametrize("last", [(400, {}, "no"), (429, {}, ""), requests.ConnectTimeout("away")])
def test_a_last_attempt_that_did_nothing_does_not_speak_for_the_first(
    service: Service, client: ApiClient, last: Reply
) -> None:
    service.honours = True
    client.list_jobs("jid_gt_00000")
    service.script = [SLOW, *[last] * 10]
    service.lists = [DROPPED]
    with pytest.raises(OutcomeUnknownError, match="an attempt before that one may have been acted on"):
        client.create_job(JOB)


class LostKey(FixedTokens):
    """A token, and no other one when it is refused."""

    def renew(self, refused: str) -> str:
        raise LoginError("no key")


def test_a_token_that_cannot_be_renewed_does_not_speak_for_the_first_attempt(
    service: Service, tmp_path: Path
) -> None:
    service.honours = True
    with make_client(tmp_path, waits=[], tokens=LostKey()) as client:
        client.list_jobs("jid_gt_00000")
        service.script = [SLOW, *[(401, {}, "")] * 10]
        service.lists = [DROPPED]
        with pytest.raises(OutcomeUnknownError):
            client.create_job(JOB)
