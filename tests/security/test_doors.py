"""The tables of docs/security.md, cell by cell: who gets a token of which account, and from where."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from conductor_mock.farm.ids import account_id
from support.server import Fake, claims_of, job_payload, running

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
LOGIN = "/api/oauth_jwt"
TARGET = "http://localhost:8085/index.html"
ASKING = {"redirect_uri": TARGET, "scope": "user", "response_type": "client_token"}
HERE = "http://127.0.0.1:8089"


def table(anchor: str) -> list[dict[str, str]]:
    """The rows of the table behind an anchor of the page, by their headings."""
    text = PAGE.partition(f'<a id="{anchor}"></a>')[2]
    lines = re.findall(r"^\|(.*)\|$", text.partition("\n## ")[2].partition("\n## ")[0], re.MULTILINE)
    heading, _, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [dict(zip(heading, row, strict=True)) for row in rows]


def a_key(client: FlaskClient, client_id: str, secret: str, **options: Any) -> TestResponse:
    query = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return client.get(LOGIN, query_string=query, **options)


def default_key(fake: Fake, client: FlaskClient, **options: Any) -> TestResponse:
    return a_key(client, fake.service.keys.client_id, fake.service.keys.private_key, **options)


def unknown_key(_: Fake, client: FlaskClient, **options: Any) -> TestResponse:
    return a_key(client, "somebody", "a key of somebody", **options)


def fields_of(page: TestResponse) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found}


def consent(_: Fake, client: FlaskClient, **options: Any) -> TestResponse:
    page = client.get(LOGIN, query_string=ASKING, **options)
    if page.status_code != 200:
        return page
    return client.post("/login", data=fields_of(page), **options)


def prompt_none(_: Fake, client: FlaskClient, **options: Any) -> TestResponse:
    return client.get(LOGIN, query_string={**ASKING, "prompt": "none"}, **options)


def email(_: Fake, client: FlaskClient, **options: Any) -> TestResponse:
    return client.post("/api/auth", json={"email": "kim@example.com", "password": "any"}, **options)


def id_token(_: Fake, client: FlaskClient, **options: Any) -> TestResponse:
    return client.post("/api/auth", json={"id_token": "eyJhbGciOiJub25lIn0.e30.c2ln"}, **options)


def control(_: Fake, client: FlaskClient, **options: Any) -> TestResponse:
    return client.get("/_mock/jobs", **options)


def page(_: Fake, client: FlaskClient, **options: Any) -> TestResponse:
    return client.get("/", **options)


Way = Callable[..., TestResponse]


def metrics(_: Fake, client: FlaskClient, **options: Any) -> TestResponse:
    return client.get("/metrics", **options)


WAYS: Mapping[str, Way] = {
    "the default account's key": default_key,
    "a key that is not known": unknown_key,
    "consent in a browser": consent,
    "`prompt=none`": prompt_none,
    "e-mail and password": email,
    "`id_token`": id_token,
    "a token, with a key": default_key,
    "the control API": control,
    "a page": page,
    "`/metrics`": metrics,
}
SERVERS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "with `--execute`": {"execute": True},
    "beyond loopback": {"loopback": False},
}
FROM: Mapping[str, Mapping[str, str]] = {
    "any Host": {"Host": "rebound.example"},
    "a page of another site": {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    "inside a frame": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
        "Origin": "https://evil.example",
    },
}


def account_of(answer: TestResponse) -> str:
    """The account that an answer's token speaks for."""
    if answer.status_code == 302:
        token = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["access_token"]
    else:
        body = answer.get_json()
        token = body["accounts"][0]["token"] if "accounts" in body else body["access_token"]
    return str(claims_of(token)["account"])


def outcome(fake: Fake, answer: TestResponse) -> str:
    """An answer in the words of the table."""
    if answer.status_code not in (200, 302):
        return str(answer.status_code)
    own = account_of(answer) == account_id(fake.service.keys.client_id)
    return "default account" if own else "account of its own"


@pytest.mark.parametrize("server", SERVERS)
def test_each_way_in_leads_where_the_page_says(server: str) -> None:
    rows = table("doors")
    assert [row["way in"] for row in rows] == list(WAYS)[: len(rows)]
    for row in rows:
        with running(**SERVERS[server]) as fake:
            answer = WAYS[row["way in"]](fake, fake.app.test_client(), base_url=HERE)
            assert outcome(fake, answer) == row[server], row["way in"]


@pytest.mark.parametrize("executing", [False, True])
def test_each_place_is_answered_or_refused_as_the_page_says(executing: bool) -> None:
    with running(execute=executing) as fake:
        for row, (place, headers) in product(table("names"), FROM.items()):
            answer = WAYS[row["asked for"]](fake, fake.app.test_client(), base_url=HERE, headers=headers)
            said = "answered" if answer.status_code == 200 else str(answer.status_code)
            assert said == row[place], (row["asked for"], place)


@pytest.mark.parametrize("way", ["`prompt=none`", "e-mail and password", "`id_token`"])
def test_a_job_of_a_way_without_key_or_consent_runs_no_command(way: str, tmp_path: Path) -> None:
    """What can be had by a page that is open somewhere must not be worth having."""
    with running(execute=True) as fake:
        client = fake.app.test_client()
        answer = WAYS[way](fake, client, base_url=HERE)
        token = answer.get_json()["accounts"][0]["token"] if answer.is_json else ""
        if answer.status_code == 302:
            token = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["access_token"]
        caller = fake.anonymous()
        caller.token = token
        task = {"command": f"touch {tmp_path / 'was-here'}", "frames": "1"}
        assert caller.post("/jobs/", job_payload(tasks_data=[task])).status == 201
        with fake.service.accounts.open(str(claims_of(token)["account"])) as account:
            assert not account.state.options.execute


@pytest.mark.parametrize("changed", ["redirect_uri", "scope", "proof", "cookie", "age", "origin"])
def test_consent_is_good_for_what_the_page_showed_in_that_browser_and_lately(changed: str) -> None:
    with running() as fake:
        client, other = fake.app.test_client(), fake.app.test_client()
        fields = fields_of(client.get(LOGIN, query_string=ASKING, base_url=HERE))
        sender, headers = client, {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
        match changed:
            case "redirect_uri":
                fields["redirect_uri"] = "http://localhost:6666/index.html"
            case "scope":
                fields["scope"] = "owner admin user"
            case "proof":
                fields["proof"] = fields["proof"][:-1] + ("0" if fields["proof"][-1] != "0" else "1")
            case "cookie":
                sender = other
            case "age":
                fake.wall.step(601)
            case "origin":
                headers = {"Origin": "null"}
        assert sender.post("/login", data=fields, base_url=HERE, headers=headers).status_code == 403

        if changed != "age":
            again = fields_of(client.get(LOGIN, query_string=ASKING, base_url=HERE))
            assert client.post("/login", data=again, base_url=HERE).status_code == 302


ELSEWHERE = [
    "http://evil.example/",
    "http://evil\\@localhost/",
    "http://localhost\\@evil/",
    "http:\\\\localhost/",
    "http://evil@localhost/",
    "http://localhost@evil/",
    "http://localhost:8085@evil/",
    "http://localhost.evil/",
    "http://localhost%2eevil/",
    "http://localhost#@evil/",
    "http://localhost?@evil/",
    "http://127.0.0.1.evil/",
    "http://127.1/",
    "http://0/",
    "http://2130706433/",
    "http://[::ffff:127.0.0.1]/",
    "http://localhost:0/",
    "http://localhost:99999/",
    "http://localhost:8085\t/",
    "http://localhost:8085/\r\nX: y",
    "http://localhost/ evil",
    "http:localhost/",
    "http:///localhost/",
    "//localhost/",
    "https://localhost/",
    "javascript://localhost/%0aalert(1)",
    "HTTP://LOCALHOST/",
    "http://localhost/<b>",
    'http://localhost/"onload=',
    "\u2025//localhost/",
    "http://loc\u0430lhost/",
    "http://\uff4cocalhost/",
]


@pytest.mark.parametrize("how", [{}, {"prompt": "none"}])
def test_a_token_goes_to_a_web_server_of_this_machine_or_nowhere(how: Mapping[str, str]) -> None:
    with running() as fake:
        for target in ELSEWHERE:
            answer = fake.app.test_client().get(
                LOGIN, query_string={**ASKING, "redirect_uri": target, **how}, base_url=HERE
            )
            assert answer.status_code == 400, target
        for target in ("http://localhost:8085/a/b.html?c=d%20e", "http://127.0.0.1/", "http://localhost"):
            answer = fake.app.test_client().get(
                LOGIN, query_string={**ASKING, "redirect_uri": target, **how}, base_url=HERE
            )
            assert answer.status_code in (200, 302), target


def test_one_guard_stands_before_all_pages_and_the_control_api() -> None:
    """Every route is one of the service, which the contract gives a rule, or is refused without the admin token."""
    with running(admin_token="the admin token") as fake:
        client = fake.app.test_client()
        open_to_all = {*fake.service.contract.operations, "control.health.live", "control.health.ready"}
        for rule in fake.app.url_map.iter_rules():
            if rule.endpoint in open_to_all:
                continue
            for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
                path = re.sub(r"<[^>]*>", "1", rule.rule)
                answer = client.open(path, method=method, base_url=HERE, json={})
                assert answer.status_code in (401, 415), (method, path)


@pytest.mark.parametrize("path", ["/", "/mails", f"{LOGIN}?redirect_uri={TARGET}"])
def test_a_browser_asks_its_user_for_the_admin_token(path: str) -> None:
    with running(admin_token="the admin token") as fake:
        client = fake.app.test_client()
        asked = client.get(path, base_url=HERE)
        assert (asked.status_code, asked.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
        assert client.get(path, base_url=HERE, auth=("", "the admin token")).status_code == 200
        assert client.get(path, base_url=HERE, auth=("the admin token", "")).status_code == 401
        assert client.get(path, base_url=HERE, headers={"Authorization": "Basic !"}).status_code == 401


@pytest.mark.parametrize("path", ["/", "/mails", f"{LOGIN}?redirect_uri={TARGET}"])
def test_no_page_runs_what_is_written_into_it_or_lies_in_a_frame(path: str) -> None:
    with running() as fake:
        answer = fake.app.test_client().get(path, base_url=HERE)
        headers, policy = answer.headers, answer.headers["Content-Security-Policy"]
        allowed = {
            name: values.split() for name, _, values in (d.strip().partition(" ") for d in policy.split(";"))
        }
        assert allowed["default-src"] == ["'none'"]
        assert "unsafe" not in policy
        assert allowed["style-src"] == ["'self'"]
        assert allowed.get("script-src", []) == ([] if path.startswith(LOGIN) else ["'self'"])
        page = answer.get_data(as_text=True)
        assert "<style" not in page
        assert " style=" not in page
        assert ("<script" in page) == (not path.startswith(LOGIN))
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Frame-Options"] == "DENY"


def test_a_link_from_elsewhere_opens_a_page() -> None:
    opened = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    with running() as fake:
        assert fake.app.test_client().get("/", base_url=HERE, headers=opened).status_code == 200
