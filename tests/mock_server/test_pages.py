"""The pages for people: each is reached from the first one, keeps its account, changes nothing and is documented."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor_mock.farm.ids import account_id
from support.server import ApiCaller, Fake

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "server.md").read_text(encoding="utf-8")


def routes(fake: Fake) -> dict[str, set[str]]:
    """The methods of each page, by its path as the reference writes it."""
    return {
        rule.rule.replace("<jid>", "JID").replace("<tid>", "TID"): set(rule.methods or ())
        for rule in fake.app.url_map.iter_rules()
        if rule.endpoint.startswith("pages.")
    }


def links(page: str) -> Iterator[str]:
    """The links of a page to others of this server."""
    yield from (link for link in re.findall(r'href="([^"]+)"', page) if link.startswith("/"))


@pytest.fixture
def busy(fake: Fake) -> ApiCaller:
    """Somebody whose account has a job that ended and sent a mail."""
    caller = fake.newcomer()
    assert caller.submit(notify={"emails": ["td@example.com"]}).status == 201
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
    return caller


def test_every_page_is_reached_from_the_first_one_and_keeps_its_account(fake: Fake, busy: ApiCaller) -> None:
    account = busy.client_id.replace(" ", "%20")
    seen, ahead = set[str](), [f"/?account={account}"]
    while ahead:
        link = ahead.pop()
        if link in seen:
            continue
        seen.add(link)
        answer = busy.get(link)
        assert answer.status == 200, link
        assert answer.headers["Content-Type"].startswith("text/html"), link
        ahead += links(answer.content.decode())

    assert all(link.endswith(f"?account={account}") for link in seen)
    paths = {re.sub(r"/\d{3}/", "/TID/", re.sub(r"\d{5}", "JID", link.partition("?")[0])) for link in seen}
    assert paths | {"/jobs/JID"} == set(routes(fake)), "a page that no other one links"
    assert busy.get(f"/jobs/00001?account={account}").content == busy.get(f"/job/1?account={account}").content


def test_a_task_has_its_log_where_the_dashboard_of_the_service_has_it(fake: Fake, busy: ApiCaller) -> None:
    account = {"account": busy.client_id}
    said = busy.get("/get_log_file", query={"job": "00001", "task": "000"}).json()["logs"][0]["log"]
    page = html.unescape(busy.get("/jobs/00001/000/log", query=account).content.decode())

    assert "\n".join(said) in page
    unpadded = busy.get("/jobs/1/0/log", query=account).content.decode()
    assert html.unescape(unpadded) == page


def test_the_log_of_a_task_that_never_ran_says_so(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit()
    page = caller.get("/jobs/00001/000/log", query={"account": caller.client_id})

    assert page.status == 200
    assert "task 000 of job 00001 has no log: it is pending and never ran" in page.content.decode()
    assert caller.get("/jobs/00001/007/log", query={"account": caller.client_id}).status == 404


def test_a_page_of_an_account_without_anything_is_one_too(fake: Fake) -> None:
    caller = fake.newcomer()

    for path in routes(fake):
        answer = caller.get(
            path.replace("JID", "00001").replace("TID", "000"), query={"account": caller.client_id}
        )
        assert answer.status == (404 if "JID" in path else 200), path


def test_pages_read_and_never_write(fake: Fake, busy: ApiCaller) -> None:
    accounts = fake.service.accounts
    with accounts.open(account_id(busy.client_id)) as account:
        before = account.state.seq

    for path, methods in routes(fake).items():
        assert methods == {"GET", "HEAD", "OPTIONS"}
        busy.get(path.replace("JID", "00001").replace("TID", "000"), query={"account": busy.client_id})

    with accounts.open(account_id(busy.client_id)) as account:
        assert account.state.seq == before


def test_what_a_submission_says_is_text_on_every_page(fake: Fake) -> None:
    caller = fake.newcomer()
    mark = "<script>x</script>"
    caller.submit(job_title=mark, project=mark, owner=mark, notify={"emails": ["td@example.com"]})
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})

    for path in routes(fake):
        page = caller.get(
            path.replace("JID", "00001").replace("TID", "000"), query={"account": caller.client_id}
        ).content.decode()
        assert mark not in page, path


def test_pages_answer_to_names_of_this_machine_only(fake: Fake) -> None:
    """A name of somebody else's that leads to this machine is how a web page would read them."""
    for path in routes(fake):
        answer = fake.anonymous().get(
            path.replace("JID", "1").replace("TID", "0"), headers={"Host": "evil.example"}
        )
        assert answer.status == 403, path


def test_every_page_has_a_row_in_the_reference(fake: Fake) -> None:
    table = REFERENCE.partition("\n## Pages\n")[2].partition("\n## ")[0]
    rows = set(re.findall(r"`(/[\w/]*)`", "\n".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))))

    assert rows == set(routes(fake))
