"""What a proxy in front says of its clients: believed where the server was told to, and nowhere else."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from click.testing import CliRunner

from conductor.cli import cli
from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from support.served import PATIENCE_S, said_by, token
from support.server import ORIGIN, Answer, Fake, candidate, running
from support.tls_proxy import TlsProxy

FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "farm.example", "X-Forwarded-Prefix": "/fake"}
PUBLIC = "https://farm.example/fake"


@contextmanager
def behind_tls(
    folder: Path, *, prefix: str = "", also: str = "", **settings: Any
) -> Iterator[tuple[TlsProxy, Server]]:
    app = create_app(
        Settings(**{"ephemeral": True, "trust_proxy": 2 if also else 1, "loopback": False, **settings})
    )
    with Server(app) as server, TlsProxy(server.port, folder, prefix=prefix, also=also) as proxy:
        yield proxy, server


def spellings(fake: Fake, headers: dict[str, str]) -> tuple[str, str]:
    """What `aud` and a signed URL begin with, for a client whose requests come with these headers."""
    caller = fake.newcomer()
    answer = caller.get("/api/oauth_jwt", query=caller.key_query(), headers=headers)
    assert answer.status == 200, answer
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    urls = caller.post(
        "/api/v2/files/get_upload_urls", {"upload_files": [candidate("/a", b"x")]}, headers=headers
    )
    url = str(urls.json()["singlePartURLs"][0]["preSignedURL"])
    return claims["aud"], url.partition("/objects/")[0]


@pytest.mark.parametrize("prefix", ["", "/fake", "/tools/fake"])
def test_a_job_goes_through_a_tls_proxy_from_token_to_download(tmp_path: Path, prefix: str) -> None:
    """By the URLs that the service hands out alone."""
    with (
        behind_tls(tmp_path, prefix=prefix, admin_token="secret", allow_hosts=("localhost",)) as (
            proxy,
            server,
        ),
        requests.Session() as session,
    ):
        session.trust_env = False
        session.verify = str(proxy.bundle)
        keys = service_of(server._app).keys
        key = {"client_id": keys.client_id, "private_key": keys.private_key}
        bought = token(session, proxy.url, key)
        assert jwt.decode(bought, options={"verify_signature": False})["aud"] == proxy.url
        bearer = {"Authorization": f"Bearer {bought}"}
        body = {"upload_files": [candidate("/proj/a", b"a scene")]}
        asked = session.post(
            f"{proxy.url}/api/v2/files/get_upload_urls", json=body, headers=bearer, timeout=PATIENCE_S
        )
        url = asked.json()["singlePartURLs"][0]["preSignedURL"]
        assert url.startswith(f"{proxy.url}/objects/")
        assert session.put(url, data=b"a scene", timeout=PATIENCE_S).status_code == 200

        job = {
            "job_title": "t",
            "project": "default",
            "instance_type": "n1-standard-2",
            "tasks_data": [{"command": "render", "frames": "1"}],
            "output_path": "/proj/out",
        }
        jid = session.post(f"{proxy.url}/jobs/", json=job, headers=bearer, timeout=PATIENCE_S).json()["jobid"]
        forced = session.post(
            f"{proxy.url}/_mock/jobs/{jid}/tasks/000",
            json={"status": "success"},
            headers={"Authorization": "Bearer secret"},
            timeout=PATIENCE_S,
        )
        assert forced.status_code == 200, forced.text
        page = session.post(
            f"{proxy.url}/jobs/{jid}/downloads", json={"tids": None}, headers=bearer, timeout=PATIENCE_S
        )
        file = page.json()["downloads"][0]["files"][0]
        assert file["url"].startswith(f"{proxy.url}/objects/")
        fetched = session.get(file["url"], timeout=PATIENCE_S)
        assert (fetched.status_code, len(fetched.content)) == (200, file["size"])


def test_the_command_line_works_through_a_tls_proxy_with_one_token(tmp_path: Path) -> None:
    """The audience is what the client was configured with, so the token that it keeps is used again."""
    with behind_tls(tmp_path) as (proxy, server):
        environ = {
            **server.environment(),
            "CONDUCTOR_URL": proxy.url,
            "CONDUCTOR_API_URL": proxy.url,
            "CONDUCTOR_AUTH_URL": proxy.url,
            "REQUESTS_CA_BUNDLE": str(proxy.bundle),
        }
        for _ in range(2):
            done = CliRunner().invoke(cli, ["projects"], env=environ)
            assert done.exit_code == 0, done.output
        journal = service_of(server._app).journal
        asked = [entry["operation"] for entry in journal.find()]
        assert asked.count("auth.token") == 1


def test_without_the_option_nobody_is_believed() -> None:
    with running() as fake:
        assert spellings(fake, FORWARDED) == (ORIGIN, ORIGIN)


@pytest.mark.parametrize("given", list(itertools.product([False, True], repeat=3)), ids=str)
def test_each_header_counts_for_itself(given: tuple[bool, bool, bool]) -> None:
    scheme, host, prefix = given
    headers = {
        name: value for name, value in FORWARDED.items() if dict(zip(FORWARDED, given, strict=True))[name]
    }
    expected = (
        f"{'https' if scheme else 'http'}://{'farm.example' if host else urlsplit(ORIGIN).netloc}"
        f"{'/fake' if prefix else ''}"
    )
    with running(trust_proxy=1) as fake:
        assert spellings(fake, headers) == (expected, expected)


def test_a_scheme_in_capitals_is_the_same() -> None:
    with running(trust_proxy=1) as fake:
        assert spellings(fake, {**FORWARDED, "X-Forwarded-Proto": "HTTPS"}) == (PUBLIC, PUBLIC)


def test_of_more_proxies_than_are_trusted_the_last_ones_are_believed() -> None:
    headers = {
        "X-Forwarded-Proto": "http, https",
        "X-Forwarded-Host": "evil.example, farm.example",
        "X-Forwarded-Prefix": "/evil, /fake",
    }
    with running(trust_proxy=1) as fake:
        assert spellings(fake, headers) == (PUBLIC, PUBLIC)
    with running(trust_proxy=2) as fake:
        evil = "http://evil.example/evil"
        assert spellings(fake, headers) == (evil, evil)
    with running(trust_proxy=3) as fake:
        assert spellings(fake, headers) == (ORIGIN, ORIGIN), "one is missing, so what is there is a client's"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Proto", "https:"),
        ("X-Forwarded-Host", "farm.example/x"),
        ("X-Forwarded-Host", "kim@farm.example"),
        ("X-Forwarded-Host", "farm example"),
        ("X-Forwarded-Prefix", "fake"),
        ("X-Forwarded-Prefix", "//evil.example"),
        ("X-Forwarded-Prefix", "/fake?a"),
        ("X-Forwarded-Prefix", "/fa ke"),
        ("X-Forwarded-Prefix", "/%2e"),
        ("X-Forwarded-Prefix", "/\u00e9"),
    ],
)
def test_what_cannot_stand_in_a_url_is_refused(name: str, value: str) -> None:
    with running(trust_proxy=1) as fake:
        caller = fake.newcomer()
        answer: Answer = caller.get("/api/oauth_jwt", query=caller.key_query(), headers={name: value})

    assert answer.status == 400
    assert answer.faults.keys() == {name.replace("X-Forwarded-Host", "Host")}


def test_the_control_api_goes_by_the_host_that_the_proxy_names() -> None:
    """A Host of 127.0.0.1 is the proxy's then, and lets nobody in."""
    with running(trust_proxy=1) as fake:
        caller = fake.newcomer()
        assert caller.get("/_mock/health").status == 200
        assert caller.get("/_mock/health", headers=FORWARDED).status == 403
    with running(trust_proxy=1, allow_hosts=("farm.example",)) as fake:
        caller = fake.newcomer()
        assert caller.get("/_mock/health", headers=FORWARDED).status == 200
        same, other = "https://farm.example", "http://farm.example"
        assert caller.get("/_mock/health", headers={**FORWARDED, "Origin": same}).status == 200
        assert caller.get("/_mock/health", headers={**FORWARDED, "Origin": other}).status == 403


def test_pages_link_to_pages_below_the_prefix() -> None:
    with running(trust_proxy=1, allow_hosts=("farm.example",)) as fake:
        caller = fake.default_caller()
        jid = caller.submit().json()["jobid"]
        links = set()
        for page in ("/", "/mails", f"/job/{jid}", f"/jobs/{jid}/000", f"/jobs/{jid}/000/log"):
            answer = caller.get(page, headers=FORWARDED)
            assert answer.status == 200, answer
            links |= set(re.findall(r'(?:href|src|action)="(/[^"]*)"', answer.content.decode()))

    assert {f"/fake/job/{jid}", "/fake/mails", f"/fake/jobs/{jid}/000/log", "/fake/"} <= links
    assert all(link.startswith("/fake/") for link in links), links


def test_behind_a_proxy_the_server_is_not_this_machines_alone() -> None:
    """What an address beyond loopback forbids is forbidden."""
    said = said_by("serve", "--ephemeral", "--port", "0", "--trust-proxy", "1", "--execute")

    assert said.exit_code == 2
    assert "--trust-proxy" in said.output
    with running(trust_proxy=1, loopback=False) as fake:
        caller = fake.newcomer()
        assert "--admin-token" in caller.get("/_mock/health").message
        redirect = {"redirect_uri": "http://localhost:1234/", "prompt": "none"}
        assert caller.get("/api/oauth_jwt", query=redirect).status == 403
