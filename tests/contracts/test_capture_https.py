"""A capture of a service that is reached by HTTPS: the certificate counts, and only the client says who it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
import yaml

from conductor_contracts.capture import Recorder, proxy
from conductor_contracts.drift import drift
from conductor_contracts.interactions import parse_interactions
from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from support.tls_end import TlsEnd

DEAD = "http://127.0.0.1:9"


class Secured(NamedTuple):
    """The fake behind TLS, what reached it, and the authority of its certificate."""

    url: str
    seen: Recorder
    bundle: Path
    key: dict[str, str]


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """Let a server answer; gives its address without a scheme."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secured]:
    """A service by HTTPS: a proxy that speaks TLS before the fake. The machine's own proxy is a dead one."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, DEAD)
    for name in ("NO_PROXY", "no_proxy", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    end, seen = TlsEnd(tmp_path, "127.0.0.1"), Recorder()
    with Server(create_app(Settings(ephemeral=True, speed=0))) as fake, proxy(fake.url, seen) as front:
        front.socket = end.opened(front.socket)
        with serving(front) as address:
            key = json.loads(fake.environment()["CONDUCTOR_API_KEY"])
            yield Secured(f"https://{address}", seen, end.bundle, key)


def ask(address: str, path: str, **query: str) -> requests.Response:
    """What the proxy answers to somebody who is told of no other one."""
    with requests.Session() as session:
        session.trust_env = False
        token = query.pop("token", None)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return session.get(f"http://{address}{path}", params=query, headers=headers, timeout=60)


def test_a_service_by_https_is_recorded_without_a_secret(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And a password that a .netrc has for its host does not take the place of the client's token."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secured.bundle))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login kim password not-sent\n")
    recorder = Recorder()
    login = {"client_id": secured.key["client_id"], "client_secret": secured.key["private_key"]}
    with proxy(secured.url, recorder) as between, serving(between) as address:
        bought = ask(address, "/api/oauth_jwt", grant_type="client_credentials", scope="user", **login)
        token = bought.json()["access_token"]
        listed = ask(address, "/api/v1/jobs", token=token)
    assert (bought.status_code, listed.status_code) == (200, 200)
    text = recorder.interactions()
    assert [one for one in (token, *secured.key["private_key"].split("\n")[1:2]) if one in text] == []
    documents = list(yaml.safe_load_all(text))
    assert [one["operation"] for one in documents] == ["auth.token", "jobs.list"]
    assert [drift(parse_interactions(json.dumps(one), "capture")) for one in documents] == [[], []]


def test_a_certificate_that_nobody_vouches_for_ends_it_before_anything_is_sent(secured: Secured) -> None:
    recorder = Recorder()
    with proxy(secured.url, recorder) as between, serving(between) as address:
        answer = ask(address, "/api/oauth_jwt", client_secret="secret")
    assert answer.status_code == 502
    assert "REQUESTS_CA_BUNDLE" in answer.json()["message"]
    assert "secret" not in answer.text
    assert list(yaml.safe_load_all(secured.seen.interactions())) == []
    assert list(yaml.safe_load_all(recorder.interactions())) == []
