"""Tokens: what they hold, who gets one, and what is answered without a good one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm.ids import account_id
from conductor_mock.wire.masking import MASK
from support.server import ORIGIN, SECOND, START_US, Fake, claims_of, md5_of, running

WANT_A_TOKEN = [
    ("GET", "/api/v1/accounts/5001"),
    ("GET", "/api/v1/projects/"),
    ("GET", "/api/v1/instance-types"),
    ("POST", "/api/v2/files/get_upload_urls"),
    ("POST", "/jobs/"),
    ("GET", "/api/v1/jobs"),
]


def test_a_token_has_the_claims_that_clients_read(fake: Fake) -> None:
    answer = fake.anonymous().sign_in()
    body = answer.json()
    claims = claims_of(body["access_token"])

    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert body["scope"] == "owner admin user"
    assert claims["aud"] == ORIGIN
    assert claims["account"] == account_id("studio")
    assert claims["exp"] == START_US // SECOND + 3600
    assert body["access_token"].startswith("eyJ")


@pytest.mark.parametrize(
    "host", ["fake.host:8080", "conductor:5000", "10.0.0.7", "my_box.local", "[::1]:8089"]
)
def test_the_audience_is_the_origin_that_the_client_used(fake: Fake, host: str) -> None:
    """Clients compare it with their own (wire reference 1.4), and reach the fake by many names."""
    answer = fake.anonymous().get(
        "/api/oauth_jwt", query=fake.anonymous().key_query(), headers={"Host": host}
    )

    assert claims_of(answer.json()["access_token"])["aud"] == f"http://{host}"


def test_a_forwarded_host_is_not_believed(fake: Fake) -> None:
    caller = fake.anonymous()
    headers = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example",
    }
    answer = caller.get("/api/oauth_jwt", query=caller.key_query(), headers=headers)

    assert claims_of(answer.json()["access_token"])["aud"] == ORIGIN


def test_the_account_of_a_key_is_always_the_same(fake: Fake) -> None:
    tokens = [fake.caller(name).token for name in ("one", "other", "one")]
    accounts = [claims_of(str(token))["account"] for token in tokens]

    assert accounts[0] == accounts[2] != accounts[1]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ({"grant_type": "password"}, "grant_type"),
        ({"grant_type": ""}, "grant_type"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": "x" * 201}, "client_id"),
        ({"client_id": "a\nb"}, "client_id"),
        ({"client_id": "a\0"}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": " \n"}, "client_secret"),
        ({"client_id": "😀" * 200}, "client_id"),
    ],
)
def test_a_request_that_names_no_key_is_refused_and_makes_no_account(
    fake: Fake, query: Mapping[str, str], place: str
) -> None:
    answer = fake.anonymous().sign_in(**query)

    assert answer.status == 400
    assert list(answer.faults) == [place]
    assert fake.service.accounts.ids() == []


def test_a_request_without_parameters_is_refused(fake: Fake) -> None:
    assert fake.anonymous().get("/api/oauth_jwt").status == 400


@given(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
)
def test_no_token_is_too_long_for_the_buffers_of_older_clients(
    shared_fake: Fake, client_id: str, scope: str
) -> None:
    caller = shared_fake.anonymous()
    answer = caller.get(
        "/api/oauth_jwt", query={**caller.key_query(), "client_id": client_id, "scope": scope}
    )

    assert answer.status in (200, 400)
    if answer.status == 200:
        assert len(answer.json()["access_token"]) < 2000


def test_a_private_key_arrives_verbatim(fake: Fake) -> None:
    secret = "-----BEGIN KEY-----\nab+/=&?%20\u00fc\n-----END KEY-----\n"
    fake.caller("studio", secret)

    assert fake.anonymous().sign_in(client_secret=secret.replace("+", " ")).status == 401
    assert fake.anonymous().sign_in(client_secret=secret).status == 200


def test_a_wrong_private_key_is_401_and_the_message_holds_no_key(fake: Fake) -> None:
    fake.caller()
    answer = fake.anonymous().sign_in(client_secret="a wrong key")

    assert answer.status == 401
    assert "known here with another private_key" in answer.message
    assert b"a wrong key" not in answer.content


LOGIN = {"scope": "user", "response_type": "client_token", "redirect_uri": "http://localhost:8085/index.html"}


def test_the_browser_login_asks_and_then_sends_the_token_to_the_waiting_client(fake: Fake) -> None:
    asked = fake.anonymous().get("/api/oauth_jwt", query=LOGIN)
    assert (asked.status, asked.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    client = fake.app.test_client()
    page = client.get("/api/oauth_jwt", query_string=LOGIN, base_url=ORIGIN)
    fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
    answer = client.post("/login", data=fields, base_url=ORIGIN)
    location = urlsplit(answer.headers["Location"])
    sent = dict(parse_qsl(location.query))

    assert answer.status_code == 302
    assert f"{location.scheme}://{location.netloc}{location.path}" == LOGIN["redirect_uri"]
    assert {"access_token", "expires_in", "scope"} <= set(sent)
    assert claims_of(sent["access_token"])["account"] == account_id(fake.service.keys.client_id)


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/index.html",
        "https://localhost:8085/",
        "http://localhost.evil.example:8085/",
        "http://localhost@evil.example/",
        "//evil.example/",
        "javascript:alert(1)",
        "http://[::1",
        "http://[evil]/",
        "http://localhost:port/",
        "http://localhost:99999/",
        "http://localhost:8085/\r\nSet-Cookie: a=b",
        "http://localhost:0/",
        "",
    ],
)
@pytest.mark.parametrize("prompt", ["none", ""])
def test_a_token_is_sent_nowhere_but_to_this_machine(fake: Fake, target: str, prompt: str) -> None:
    answer = fake.anonymous().get("/api/oauth_jwt", query={**LOGIN, "redirect_uri": target, "prompt": prompt})

    if answer.status in (200, 302):
        to = urlsplit(answer.headers.get("Location", target))
        assert to.hostname in ("localhost", "127.0.0.1")
        assert "\n" not in answer.headers.get("Location", "")
    else:
        assert answer.status == 400


def test_a_token_is_not_sent_behind_a_fragment_where_no_server_sees_it(fake: Fake) -> None:
    target = "http://localhost:8085/index.html#part"
    answer = fake.anonymous().get("/api/oauth_jwt", query={**LOGIN, "redirect_uri": target, "prompt": "none"})
    assert (answer.status, list(answer.faults)) == (400, ["redirect_uri"])


@pytest.mark.parametrize(("method", "path"), WANT_A_TOKEN)
def test_every_operation_but_a_few_wants_a_token(fake: Fake, method: str, path: str) -> None:
    answer = fake.anonymous().request(method, path)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert list(answer.faults) == ["Authorization"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer not-a-token",
        "Bearer a.b.c",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer \u00ff\u00ff",
        "Bearer " + "e" * 10_000,
        "Bearer " + "." * 100,
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/ee/packages"])
def test_a_bad_token_is_401_even_where_none_is_wanted(fake: Fake, path: str, header: str) -> None:
    assert fake.anonymous().get(path, headers={"Authorization": header}).status == 401


def test_packages_are_answered_without_a_token(fake: Fake) -> None:
    """The desktop companion asks so (wire reference 2.1)."""
    assert fake.anonymous().get("/api/v1/ee/packages").status == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_spelled_in_any_case(fake: Fake, scheme: str) -> None:
    token = fake.caller().token
    answer = fake.anonymous().get("/api/v1/jobs", headers={"Authorization": f"{scheme} {token}"})

    assert answer.status == 200


def test_a_token_expires_by_wall_time(fake: Fake) -> None:
    caller = fake.caller()
    fake.wall.step(3599)
    assert caller.get("/api/v1/jobs").status == 200
    fake.wall.step(1)
    answer = caller.get("/api/v1/jobs")

    assert answer.status == 401
    assert "expired" in answer.message
    assert caller.sign_in().status == 200
    assert caller.get("/api/v1/jobs").status == 200


def test_the_simulated_clock_makes_no_token_old(fake: Fake) -> None:
    caller = fake.caller()
    assert caller.post("/_mock/clock", {"advance": 10**8}, query={"account": "studio"}).status == 200

    assert caller.get("/api/v1/jobs").status == 200


def test_a_wall_clock_that_stepped_back_makes_no_token_wrong(fake: Fake) -> None:
    caller = fake.caller()
    fake.wall.step(-60)

    assert caller.get("/api/v1/jobs").status == 200


def test_the_lifetime_of_tokens_is_a_setting() -> None:
    with running(token_ttl_s=5) as fake:
        caller = fake.caller()
        assert claims_of(str(caller.token))["exp"] == START_US // SECOND + 5
        fake.wall.step(5)
        assert caller.get("/api/v1/jobs").status == 401


def forged(token: str, key: bytes, **claims: Any) -> str:
    return jwt.encode({**claims_of(token), **claims}, key, algorithm="HS256")


def test_a_token_of_another_server_is_refused(fake: Fake) -> None:
    caller = fake.caller()
    with running() as other:
        caller.token = other.caller().token
    answer = caller.get("/api/v1/jobs")

    assert answer.status == 401
    assert "not signed by this server" in answer.message


@pytest.mark.parametrize(
    "claims", [{"account": 5001}, {"sub": ["studio"]}, {"account": None}, {"exp": "soon"}]
)
def test_a_token_whose_claims_are_of_another_kind_is_refused(fake: Fake, claims: dict[str, Any]) -> None:
    caller = fake.caller()
    caller.token = forged(str(caller.token), fake.service.keys.signing_key, **claims)

    assert caller.get("/api/v1/jobs").status == 401


def test_a_token_of_an_account_that_was_never_made_here_is_refused(fake: Fake) -> None:
    caller = fake.caller()
    caller.token = forged(str(caller.token), fake.service.keys.signing_key, account="5999")
    answer = caller.get("/api/v1/jobs")

    assert answer.status == 401
    assert "does not exist" in answer.message


def test_an_unsigned_token_is_refused(fake: Fake) -> None:
    caller = fake.caller()
    caller.token = jwt.encode(claims_of(str(caller.token)), "", algorithm="none")

    assert caller.get("/api/v1/jobs").status == 401


@given(st.integers(0, 10**6), st.integers(0, 63))
def test_a_token_with_one_letter_changed_is_refused(shared_fake: Fake, place: int, shift: int) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    caller = shared_fake.caller()
    token = str(caller.token)
    # The last letter is left alone: four of its bits mean nothing.
    index = place % (len(token) - 1)
    old = token[index]
    new = "A" if old == "." else letters[(letters.index(old) + 1 + shift % 63) % 64]
    caller.token = token[:index] + new + token[index + 1 :]

    assert caller.get("/api/v1/jobs").status == 401


def test_the_name_of_an_account_is_its_client_id(fake: Fake) -> None:
    caller = fake.caller()
    answer = caller.get(f"/api/v1/accounts/{account_id('studio')}")

    assert answer.json() == {"data": {"id": account_id("studio"), "name": "studio"}}


@pytest.mark.parametrize("other", ["5001", account_id("other"), "x", "0" + account_id("studio")])
def test_another_account_is_forbidden_whether_it_exists_or_not(fake: Fake, other: str) -> None:
    fake.caller("other")
    answer = fake.caller().get(f"/api/v1/accounts/{other}")

    assert answer.status == 403


def test_a_signed_url_wants_no_token_and_looks_at_none(fake: Fake) -> None:
    """One upload style always sends a token along, the other never (trap 10)."""
    caller, content = fake.caller(), b"scene"
    url = caller.upload_url("/proj/a.ma", content)
    for header in ({}, {"Authorization": "Bearer rubbish"}, {"Authorization": f"Bearer {caller.token}"}):
        assert fake.anonymous().put(url, content, headers=header).status == 200
    assert caller.files() == {"/proj/a.ma": md5_of(content)}


def test_the_journal_shows_who_asked_and_no_secret(fake: Fake) -> None:
    fake.caller("studio", "a very secret key")
    (entry,) = fake.anonymous().get("/_mock/requests", query={"account": "studio"}).json()["requests"]

    assert entry["operation"] == "auth.token"
    assert entry["query"]["client_id"] == ["studio"]
    assert entry["query"]["client_secret"] == [MASK]
    assert MASK in entry["response"]["text"]
