"""The pages for people: each is reached from the first one, keeps its account and is documented; none writes."""

from __future__ import annotations

import contextlib
import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import MethodNotAllowed, NotFound

from conductor_mock.farm.ids import account_id
from support.server import ORIGIN, ApiCaller, Fake

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "server.md").read_text(encoding="utf-8")


ASSETS = {"/assets/style.css": "text/css", "/assets/live.js": "text/javascript"}
EVENTS = "/events"
PICTURE = "/jobs/JID/TID/thumbnail/NUMBER"
OTHER_KINDS = {PICTURE: "image/png", EVENTS: "text/event-stream"}
MARKS = {
    "<jid>": "JID",
    "<number:tid>": "TID",
    "<number:number>": "NUMBER",
    "<package_id>": "ID",
}
"""What the reference writes for the parts of an address."""


def routes(fake: Fake) -> dict[str, set[str]]:
    """The methods of each page, by its path as the reference writes it."""
    return {
        written(rule.rule): set(rule.methods or ())
        for rule in fake.app.url_map.iter_rules()
        if rule.endpoint.startswith("pages.")
    }


def pages_to_look_at(fake: Fake) -> list[str]:
    """The paths of the pages that are looked at; the others are where their forms lead."""
    return [path for path, methods in routes(fake).items() if "GET" in methods]


def written(rule: str) -> str:
    """The path of a rule as the reference writes it."""
    for part, mark in MARKS.items():
        rule = rule.replace(part, mark)
    return rule


def filled(fake: Fake, path: str) -> str:
    """A path of the first task of the first job, of the first package and the latest request."""
    package = fake.service.catalog.packages[0]["package_id"]
    newest = next((entry["id"] for entry in fake.service.journal.find(limit=1)), 0) if path != PICTURE else 0
    for mark, value in {"JID": "00001", "TID": "000", "NUMBER": str(newest), "ID": package}.items():
        path = path.replace(mark, value)
    return path


def links(page: str) -> Iterator[str]:
    """The addresses that a page leads to and shows, of this server; those that its forms send to apart."""
    looked_at = re.sub(r'<form method="post"[^>]*>', "", page)
    found = (html.unescape(link) for link in re.findall(r'(?:href|src|action|events)="([^"]+)"', looked_at))
    yield from (link for link in found if link.startswith("/"))


@pytest.fixture
def busy(fake: Fake) -> ApiCaller:
    """Somebody whose account has a job that ended and sent a mail."""
    caller = fake.newcomer()
    assert caller.submit(notify={"emails": ["td@example.com"]}).status == 201
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
    return caller


def test_every_page_is_reached_from_the_first_one_and_keeps_its_account(fake: Fake, busy: ApiCaller) -> None:
    map_ = fake.app.url_map.bind("")
    seen, reached = set[str](), Counter[str]()
    ahead = [f"/?account={quote(busy.client_id)}"]
    while ahead:
        link = ahead.pop(0)
        path, _, query = link.partition("?")
        rule = written(map_.match(path, return_rule=True)[0].rule)
        if link in seen or reached[rule] >= 3:  # a catalogue has hundreds of packages
            continue
        seen.add(link)
        reached[rule] += 1
        answer = busy.get(link)
        assert answer.status == 200, link
        kind = ASSETS.get(path, OTHER_KINDS.get(rule, "text/html"))
        assert answer.headers["Content-Type"].startswith(kind), link
        if kind == "text/html":
            found = list(links(answer.content.decode()))
            forms = re.findall(r'<form (?!method="post")[^>]*action="([^"]+)"', answer.content.decode())
            ahead += [link for link in found if link not in {*ASSETS, *forms}]
            ahead += [f"{form}?account={quote(busy.client_id)}" for form in forms]
            ahead += [asset for asset in ASSETS if asset not in seen]
        if path not in ASSETS:
            assert parse_qs(query)["account"] == [busy.client_id], link

    assert set(reached) | {"/jobs/JID"} == set(pages_to_look_at(fake)), "a page that no other one links"
    account = quote(busy.client_id)
    one, other = (
        re.sub(r'name="proof" value="\w+"', "", busy.get(f"{path}?account={account}").content.decode())
        for path in ("/jobs/00001", "/job/1")
    )
    assert one == other


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

    for path in pages_to_look_at(fake):
        answer = caller.get(filled(fake, path), query={"account": caller.client_id})
        is_there = "JID" not in path
        assert answer.status == (200 if is_there else 404), path
        if is_there:
            assert b"Traceback" not in answer.content


def test_pages_that_are_looked_at_write_nothing(fake: Fake, busy: ApiCaller) -> None:
    accounts = fake.service.accounts
    with accounts.open(account_id(busy.client_id)) as account:
        before = account.state.seq

    for methods in routes(fake).values():
        assert methods in ({"GET", "HEAD", "OPTIONS"}, {"POST", "OPTIONS"})
    for path in pages_to_look_at(fake):
        assert busy.get(filled(fake, path), query={"account": busy.client_id}).status == 200, path

    with accounts.open(account_id(busy.client_id)) as account:
        assert account.state.seq == before


def test_what_a_client_says_is_text_on_every_page(fake: Fake) -> None:
    caller = fake.newcomer()
    mark = "<script>x</script>"
    hostile = f"{mark}'\"&"
    assert (
        caller.submit(
            job_title=hostile,
            project=hostile,
            owner=hostile,
            location=hostile,
            output_path=f"/tmp/{hostile}",
            metadata={hostile: hostile},
            environment={hostile: hostile},
            instance_type=hostile,
            tasks_data=[{"command": hostile, "frames": "1"}],
            upload_files=[{"destination": f"/tmp/{hostile}", "md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}],
            notify={"emails": [f"{hostile}@example.com"]},
            **{hostile: hostile},
        ).status
        == 201
    )
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
    caller.get(f"/{mark}", headers={"X-Odd": hostile, "User-Agent": hostile}, query={hostile: hostile})

    shown = 0
    for path in pages_to_look_at(fake):
        if path in ASSETS or path in OTHER_KINDS:
            continue
        for query in (
            {},
            {"text": hostile, "q": hostile, "path": hostile, "status": hostile, "page": hostile},
        ):
            page = caller.get(
                filled(fake, path), query={"account": caller.client_id, **query}
            ).content.decode()
            assert mark not in page, path
            shown += "&lt;script&gt;" in page

    assert shown > 10, "the pages show what was sent"


def test_a_missing_page_is_a_page_where_a_browser_asks(fake: Fake) -> None:
    caller = fake.newcomer()
    query = {"account": caller.client_id}

    for path in ("/job/7", "/jobs/7/0", "/requests/123456789", "/packages/none"):
        page = fake.app.test_client().get(
            path, base_url=ORIGIN, query_string=query, headers={"Accept": "text/html,*/*;q=0.8"}
        )
        assert (page.status_code, page.mimetype) == (404, "text/html"), path
        assert caller.get(path, query=query).json()["status"] == "error"


def test_requests_of_another_account_are_not_shown(fake: Fake, busy: ApiCaller) -> None:
    (theirs,) = fake.service.journal.find(account=account_id(busy.client_id), operation="jobs.create")
    other = fake.newcomer()

    assert busy.get(f"/requests/{theirs['id']}", query={"account": busy.client_id}).status == 200
    assert other.get(f"/requests/{theirs['id']}", query={"account": other.client_id}).status == 404


def test_pages_answer_to_names_of_this_machine_only(fake: Fake) -> None:
    """A name of somebody else's that leads to this machine is how a web page would read them."""
    for path, methods in routes(fake).items():
        method = "GET" if "GET" in methods else "POST"
        answer = fake.anonymous().request(method, filled(fake, path), headers={"Host": "evil.example"})
        assert answer.status == 403, path


def test_every_page_has_a_row_in_the_reference(fake: Fake) -> None:
    table = REFERENCE.partition("\n## Pages\n")[2].partition("\n## ")[0]
    cells = "\n".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    rows = {(method or "GET", path) for method, path in re.findall(r"`(?:(POST) )?(/[\w/.]*)`", cells)}

    assert rows == {("GET" if "GET" in methods else "POST", path) for path, methods in routes(fake).items()}


ADDRESSES = st.lists(st.text(max_size=8), max_size=4).map(
    lambda parts: "/" + quote("/".join(parts)).lstrip("/")
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ADDRESSES, st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
@example("/jbos", "GET")
@example("/jobs/1/2/3/<b>x", "GET")
@example("/api/v1/project", "GET")
@example("/_mock/nothing", "GET")
@example("/usage", "POST")
def test_an_address_without_a_route_is_a_page_to_a_browser_and_json_to_a_program(
    fake: Fake, path: str, method: str
) -> None:
    with contextlib.suppress(NotFound, MethodNotAllowed):
        fake.app.url_map.bind("").match(unquote(path), method)
        return  # what a route answers is another matter
    as_program = fake.app.test_client().open(path, base_url=ORIGIN, method=method)
    as_browser = fake.app.test_client().open(
        path, base_url=ORIGIN, method=method, headers={"Accept": BROWSER}
    )
    assert as_browser.status_code == as_program.status_code
    assert as_program.status_code in (404, 405)
    assert (as_program.mimetype, as_browser.mimetype) == ("application/json", "text/html")
    assert as_browser.headers.get("Allow") == as_program.headers.get("Allow")
    assert "frame-ancestors 'none'" in as_browser.headers["Content-Security-Policy"]
    (told,) = re.findall(r"<section><p>(.*?)</p>", as_browser.text, re.DOTALL)
    assert "<" not in told
    assert html.unescape(told).split() == as_program.get_json()["message"].split()


def test_what_an_operation_refuses_is_json_also_to_a_browser(fake: Fake) -> None:
    for path, status in (("/api/v1/projects/", 401), ("/downloads/00001", 401), ("/_mock/jobs/77777", 404)):
        answer = fake.app.test_client().get(path, base_url=ORIGIN, headers={"Accept": BROWSER})
        assert (answer.status_code, answer.mimetype) == (status, "application/json"), path
