"""Mails of ended jobs on their way to an SMTP server: each at most once, none lost without a word."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword

from conductor_mock.farm.state import Mail
from conductor_mock.farm.statuses import JobStatus
from conductor_mock.mailing import mailer as mailing
from conductor_mock.mailing.errors import SmtpUrlError
from conductor_mock.mailing.mailer import MAX_TRIES, Mailer
from conductor_mock.mailing.smtp import SmtpServer
from conductor_mock.store.mail_statuses import MailStatus, keys
from support.bundles import replay, save
from support.post import PostOffice, post_office
from support.served import PATIENCE_S, said_by
from support.server import ApiCaller, Fake, running

KIM = ["kim@example.com"]


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as opened:
        yield opened


def mailer_for(fake: Fake, url: str) -> Mailer:
    """One that sends when it is told to."""
    return Mailer(SmtpServer.parse(url), fake.service.accounts, fake.service.mail_statuses, wall=fake.wall)


def end_a_job(caller: ApiCaller, *, to: list[str] = KIM, title: str = "A test") -> None:
    jid = caller.submit(notify={"emails": to}, job_title=title).json()["jobid"]
    query = {"account": caller.client_id}
    answer = caller.post(f"/_mock/jobs/{jid}/tasks/000", {"status": "success"}, query=query)
    assert answer.status == 200, answer


def outbox(caller: ApiCaller) -> list[dict[str, Any]]:
    mails: list[dict[str, Any]] = caller.get("/_mock/mails", query={"account": caller.client_id}).json()[
        "mails"
    ]
    return mails


def deliveries(caller: ApiCaller) -> list[dict[str, Any]]:
    return [mail["delivery"] for mail in outbox(caller)]


def test_a_mail_is_sent_once_and_says_how_the_job_ended(fake: Fake, office: PostOffice) -> None:
    caller = fake.caller()
    end_a_job(caller, to=["kim@example.com", "lee@example.com"], title="Shot 7")
    mailer = mailer_for(fake, office.url)
    before = outbox(caller)
    mailer.deliver()
    mailer.deliver()
    (mail,) = office.mails

    assert before[0]["delivery"] is None
    assert mail["Subject"] == before[0]["subject"] == "Job 00001 success: Shot 7"
    assert mail["To"] == "kim@example.com, lee@example.com"
    assert "Job 00001 (Shot 7) of project default has ended: success." in mail.get_content()
    assert deliveries(caller) == [{"state": "sent", "tries": 1, "error": "", "next": None}]


def test_a_job_that_ends_twice_at_one_moment_causes_two_mails(fake: Fake, office: PostOffice) -> None:
    caller = fake.caller()
    end_a_job(caller)
    caller.request("PUT", "/jobs_multi", body={"action": "retry", "jobids": ["00001"]})
    caller.post("/_mock/jobs/00001/tasks/000", {"status": "success"}, query={"account": "studio"})
    mailer = mailer_for(fake, office.url)
    mailer.deliver()
    mailer.deliver()

    assert [mail["Subject"] for mail in office.mails] == ["Job 00001 success: A test"] * 2


def test_mails_of_every_account_are_sent(fake: Fake, office: PostOffice) -> None:
    for name in ("one", "two"):
        end_a_job(fake.caller(name), to=[f"{name}@example.com"])
    mailer_for(fake, office.url).deliver()

    assert sorted(mail["To"] for mail in office.mails) == ["one@example.com", "two@example.com"]


def test_a_server_that_is_down_is_tried_again_later_and_later(fake: Fake, office: PostOffice) -> None:
    caller = fake.caller()
    end_a_job(caller)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and nobody listens
        away = mailer_for(fake, f"smtp://127.0.0.1:{nobody.getsockname()[1]}")
        away.deliver()
        first = deliveries(caller)[0]
        away.deliver()  # not due
        same = deliveries(caller)[0]
        fake.wall.step(2)
        away.deliver()
        second = deliveries(caller)[0]
    fake.wall.step(4)
    mailer_for(fake, office.url).deliver()

    assert (first["state"], first["tries"], first["next"]) == ("waiting", 1, "2026-01-01T00:00:02Z")
    assert "Connection refused" in first["error"]
    assert same == first
    assert (second["tries"], second["next"]) == (2, "2026-01-01T00:00:06Z")
    assert deliveries(caller) == [{"state": "sent", "tries": 3, "error": "", "next": None}]
    assert len(office.mails) == 1


def test_a_mail_that_never_gets_through_is_given_up_and_says_why(fake: Fake, office: PostOffice) -> None:
    caller = fake.caller()
    end_a_job(caller)
    office.answers = ["451 the mailbox is busy"] * (MAX_TRIES + 5)
    mailer = mailer_for(fake, office.url)
    for _ in range(MAX_TRIES + 3):
        mailer.deliver()
        fake.wall.step(3600)
    (delivery,) = deliveries(caller)

    assert (delivery["state"], delivery["tries"]) == ("failed", MAX_TRIES)
    assert delivery["error"] == f"given up after {MAX_TRIES} tries: 451 the mailbox is busy"
    assert len(office.answers) == 5


def test_a_mail_that_is_refused_for_good_is_not_tried_again(fake: Fake, office: PostOffice) -> None:
    caller = fake.caller()
    end_a_job(caller)
    end_a_job(caller, title="the next one")
    office.answers = ["554 no spam please"]
    mailer = mailer_for(fake, office.url)
    for _ in range(3):
        mailer.deliver()
        fake.wall.step(3600)

    assert [(one["state"], one["tries"]) for one in deliveries(caller)] == [("failed", 1), ("sent", 1)]
    assert "554 no spam please" in deliveries(caller)[0]["error"]


def test_addresses_that_the_server_refuses_are_named(fake: Fake, office: PostOffice) -> None:
    caller = fake.caller()
    office.refused = ("gone@example.com",)
    end_a_job(caller, to=["gone@example.com", "kim@example.com"])
    end_a_job(caller, to=["gone@example.com"])
    mailer_for(fake, office.url).deliver()
    some, none = deliveries(caller)

    assert some["state"] == "sent"
    assert some["error"] == "not to gone@example.com: 550 nobody of that name"
    assert none["state"] == "failed"
    assert "gone@example.com" in none["error"]
    assert len(office.mails) == 1


@pytest.mark.parametrize(
    "address",
    ["", "kim", "kim@", "a\r\nBcc: all@example.com", "<kim@example.com>", "a b@c", "kim@x, lee@x", "@"],
)
def test_what_is_no_address_fails_alone_and_injects_nothing(
    fake: Fake, office: PostOffice, address: str
) -> None:
    caller = fake.caller()
    end_a_job(caller, to=[address])
    end_a_job(caller, to=[address, *KIM])
    mailer_for(fake, office.url).deliver()
    alone, among_others = deliveries(caller)
    (mail,) = office.mails

    assert alone["state"] == "failed"
    assert among_others["state"] == "sent"
    assert alone["error"] == among_others["error"] == f"not to {address!r}: no address"
    assert (mail["To"], mail["Bcc"]) == ("kim@example.com", None)


def test_a_title_of_several_lines_is_one_line_of_the_head(fake: Fake, office: PostOffice) -> None:
    end_a_job(fake.caller(), title="a\r\nBcc: all@example.com\n\n\u2028 ö")
    mailer_for(fake, office.url).deliver()
    (mail,) = office.mails

    assert mail["Subject"] == "Job 00001 success: a Bcc: all@example.com ö"
    assert mail["Bcc"] is None


def test_mails_of_one_job_moment_and_status_are_told_apart_by_their_place() -> None:
    """A job that is killed, retried and killed again at the same time, which stands still."""
    mail = Mail(5, 1, JobStatus.KILLED, ("a@example.com",))
    outbox = [mail, replace(mail, job=2), mail, replace(mail, t_us=6), mail]
    assert [(key.job, key.t_us, key.nth) for key in keys(outbox)] == [
        *((1, 5, 0), (2, 5, 0), (1, 5, 1), (1, 6, 0), (1, 5, 2))
    ]


def test_a_restart_neither_repeats_nor_forgets_a_mail(tmp_path: Path, office: PostOffice) -> None:
    with running(data_dir=tmp_path) as first:
        caller = first.caller()
        end_a_job(caller, title="sent")
        mailer_for(first, office.url).deliver()
        end_a_job(caller, title="interrupted")
        end_a_job(caller, title="not yet")
        account_id = first.service.accounts.ids()[0]
        interrupted = list(keys(_state_of(first).outbox))[1]
        first.service.mail_statuses.note(account_id, interrupted, MailStatus("sending", 1))
    with running(data_dir=tmp_path) as again:
        mailer = mailer_for(again, office.url)
        again.service.mail_statuses.settle()
        mailer.deliver()
        found = deliveries(again.caller())

    assert [one["state"] for one in found] == ["sent", "unknown", "sent"]
    assert "the server stopped while it was being sent" in found[1]["error"]
    assert [mail["Subject"].partition(": ")[2] for mail in office.mails] == ["sent", "not yet"]


@pytest.mark.parametrize("tries", [0, 2])
def test_a_mail_that_two_servers_want_to_send_at_once_is_sent_by_one(
    fake: Fake, office: PostOffice, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    caller = fake.caller()
    end_a_job(caller)
    account_id = fake.service.accounts.ids()[0]
    (key,) = keys(_state_of(fake).outbox)
    statuses = fake.service.mail_statuses
    if tries:
        statuses.note(account_id, key, MailStatus("waiting", tries, "it was down"))
    real = statuses.of

    def read_by_both(account: str) -> Any:
        known = real(account)
        with monkeypatch.context() as patched:
            patched.setattr(type(statuses), "of", lambda *_: known)
            mailer_for(fake, office.url).deliver()
        return known

    monkeypatch.setattr(type(statuses), "of", lambda _, account: read_by_both(account))
    mailer_for(fake, office.url).deliver()

    assert len(office.mails) == 1
    assert real(account_id) == {key: MailStatus("sent", tries + 1)}


def test_a_mailer_that_was_closed_begins_again(fake: Fake, office: PostOffice) -> None:
    caller = fake.caller()
    mailer = mailer_for(fake, office.url)
    mailer.start()
    mailer.close()
    end_a_job(caller)
    mailer.deliver()
    assert office.mails == [], "it is closed"
    mailer.start()
    mailer.deliver()
    mailer.close()
    assert len(office.mails) == 1


def _state_of(fake: Fake) -> Any:
    with fake.service.accounts.open(fake.service.accounts.ids()[0]) as account:
        return account.state


def test_a_reset_forgets_what_was_sent_too(fake: Fake, office: PostOffice) -> None:
    caller = fake.caller()
    mailer = mailer_for(fake, office.url)
    for _ in range(2):
        end_a_job(caller)
        mailer.deliver()
        caller.post("/_mock/reset", query={"account": "studio"})

    assert len(office.mails) == 2
    assert outbox(caller) == []


def test_the_mails_of_a_bundle_are_not_sent_again(fake: Fake, office: PostOffice) -> None:
    end_a_job(fake.caller())
    with running() as other:
        replay(other.anonymous(), save(fake.caller()))
        caller = other.caller(private_key=other.service.keys.private_key)
        mailer = mailer_for(other, office.url)
        mailer.deliver()
        replayed = deliveries(caller)
        end_a_job(caller, title="new")
        mailer.deliver()

    assert [one["state"] for one in replayed] == ["replayed"]
    assert [mail["Subject"] for mail in office.mails] == ["Job 00002 success: new"]


def test_the_server_sends_by_itself(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailing, "LOOK_EVERY_S", 0.001)
    with running(smtp=office.url) as fake:
        end_a_job(fake.caller())
        assert office.arrived.wait(60)
    assert len(office.mails) == 1  # a stop waits for the mail under way


def test_a_job_that_ends_while_nobody_looks_causes_its_mail(fake: Fake, office: PostOffice) -> None:
    caller = fake.caller()
    caller.submit(notify={"emails": KIM}, metadata={"mock_duration": "10"})
    caller.post("/_mock/clock", {"speed": 1}, query={"account": "studio"})
    mailer = mailer_for(fake, office.url)
    mailer.deliver()
    early = len(office.mails)
    fake.wall.step(100)
    mailer.deliver()

    assert (early, len(office.mails)) == (0, 1)


def test_a_user_and_password_are_used(fake: Fake) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == b"se:cret", handled=False)

    caller = fake.caller()
    end_a_job(caller)
    with post_office(authenticator=check, auth_require_tls=False) as office:
        mailer_for(fake, f"smtp://kim%40x:wrong@127.0.0.1:{office.port}").deliver()
        (refused,) = deliveries(caller)
        fake.wall.step(10)
        mailer_for(fake, f"smtp://kim%40x:se%3Acret@127.0.0.1:{office.port}").deliver()

        assert len(office.mails) == 1
    assert refused["state"] == "waiting"
    assert "the password was refused" in refused["error"]
    assert "wrong" not in refused["error"]
    assert seen[-1] == (b"kim@x", b"se:cret")


def good_for(name: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> ssl.SSLContext:
    """What a server of this name shows, by an authority that this machine trusts for the length of a test."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_mail_goes_by_tls(fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    caller = fake.caller()
    end_a_job(caller)
    with post_office(ssl_context=good_for("127.0.0.1", monkeypatch, tmp_path)) as office:
        mailer_for(fake, f"smtps://127.0.0.1:{office.port}").deliver()

        assert len(office.mails) == 1
        assert [one["state"] for one in deliveries(caller)] == ["sent"]


def test_a_password_waits_for_tls_where_the_server_has_it(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The server offers no login before STARTTLS, and would refuse one."""
    logins: list[bytes] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        logins.append(data.login)
        return AuthResult(success=session.ssl is not None)

    end_a_job(fake.caller())
    context = good_for("127.0.0.1", monkeypatch, tmp_path)
    with post_office(authenticator=check, tls_context=context) as office:
        mailer_for(fake, f"smtp://kim:secret@127.0.0.1:{office.port}").deliver()

        assert len(office.mails) == 1
    assert logins == [b"kim"]


def test_nothing_is_said_to_a_server_that_shows_another_name(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caller = fake.caller()
    end_a_job(caller)
    with post_office(ssl_context=good_for("mail.example.com", monkeypatch, tmp_path)) as office:
        mailer_for(fake, f"smtps://kim:secret@127.0.0.1:{office.port}").deliver()

        assert office.mails == []
    (one,) = deliveries(caller)
    assert one["state"] == "waiting"
    assert "certificate" in one["error"].lower()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "http://x",
        "smtp://",
        "smtp://x:port",
        "smtp://x:99999",
        "smtp://x/box",
        "smtp://[::1",
    ],
)
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(SmtpUrlError):
        SmtpServer.parse(url)


def test_a_url_has_a_port_and_perhaps_tls() -> None:
    assert SmtpServer.parse("smtp://mail.example.com") == SmtpServer("mail.example.com", 25)
    assert SmtpServer.parse("smtps://a:b@[::1]/") == SmtpServer("::1", 465, "a", "b", tls=True)
    assert "secret" not in repr(SmtpServer.parse("smtp://me:secret@x"))


def test_a_server_does_not_start_with_a_url_that_is_none(tmp_path: Path) -> None:
    finished = said_by("serve", "--smtp", "mail.example.com", "--data-dir", str(tmp_path / "data"))

    assert finished.exit_code == 2
    assert "--smtp must be smtp://" in finished.stderr
    assert isinstance(finished.exception, SystemExit)


def test_the_outbox_has_a_page(fake: Fake, office: PostOffice) -> None:
    caller = fake.default_caller()
    empty = caller.get("/mails").content.decode()
    end_a_job(caller, title="<script>", to=["<b>@example.com"])
    page = caller.get("/mails").content.decode()
    mailer_for(fake, office.url).deliver()
    sent = caller.get("/mails").content.decode()

    assert "No mails yet" in empty
    assert "Job 00001 success: &lt;script&gt;" in page
    assert "<script>" not in page + sent
    assert "kept here" in page
    assert "failed" in sent


def test_a_stop_does_not_wait_for_a_mail_server_that_says_nothing(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over = threading.Event(), threading.Event()

    def say_nothing(*_: object) -> str:
        begun.set()
        over.wait()
        return ""

    monkeypatch.setattr(mailing, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(mailing, "LAST_MAIL_S", 0.01)
    monkeypatch.setattr(SmtpServer, "send", say_nothing)
    caller = fake.caller()
    end_a_job(caller)
    mailer = mailer_for(fake, "smtp://127.0.0.1:9")
    mailer.start()
    assert begun.wait(PATIENCE_S)
    mailer.close()

    assert [one["state"] for one in deliveries(caller)] == ["sending"]
    over.set()


def test_an_account_that_nobody_uses_leaves_memory_though_mails_are_sent_and_one_due_in_it_comes(
    fake: Fake, office: PostOffice
) -> None:
    busy, idle = fake.caller("busy"), fake.caller("idle")
    accounts, mailer = fake.service.accounts, mailer_for(fake, office.url)
    for caller in (busy, idle):
        caller.submit(notify={"emails": [f"{caller.client_id}@example.com"]})
        caller.post("/_mock/clock", {"speed": 1}, query={"account": caller.client_id})
    for _ in range(3):
        mailer.deliver()
    accounts.close_unused(0)
    mailer.deliver()
    assert accounts.in_memory() == [], "nothing is due in any"

    for _ in range(50):  # events of the farm, one after another, which nobody but the mailer looks at
        fake.wall.step(3600)
        mailer.deliver()
    assert sorted(mail["To"] for mail in office.mails) == ["busy@example.com", "idle@example.com"]
    accounts.close_unused(0)
    mailer.deliver()
    assert accounts.in_memory() == []

    end_a_job(fake.caller("busy"))  # whose token is new
    mailer.deliver()
    assert office.mails[-1]["To"] == KIM[0]
    assert len(accounts.in_memory()) == 1
