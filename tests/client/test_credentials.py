"""API keys, tokens and the files they are kept in."""

from __future__ import annotations

import base64
import json
import logging
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.config import Config
from conductor.lib.exceptions import ConfigError, LoginError
from conductor.lib.login.api_keys import ApiKey, api_key, fingerprint
from conductor.lib.login.credentials import Token, TokenSource, account_of, claims, same_domain
from support.client_world import NOW, URL, jwt

KEY = ApiKey("client-1", "-----BEGIN KEY-----\nabc\n-----END KEY-----")
KEY_JSON = json.dumps({"client_id": KEY.client_id, "private_key": KEY.private_key})


class Bank:
    """Exchanges keys for tokens, and counts."""

    def __init__(self, *tokens: str, seconds: int = 3600) -> None:
        self.tokens = list(tokens) or [jwt(serial=n) for n in range(9)]
        self.seconds = seconds
        self.asked: list[ApiKey] = []

    def __call__(self, key: ApiKey) -> tuple[str, int]:
        self.asked.append(key)
        return self.tokens[len(self.asked) - 1], self.seconds


def source(folder: Path, bank: Bank, key: ApiKey | None = KEY, now: float = NOW) -> TokenSource:
    return TokenSource(key, api_url=URL, fetch=bank, folder=folder, now=lambda: now)


def stored(folder: Path, name: str = "api_key_credentials") -> dict[str, Any]:
    content = json.loads((folder / name).read_text())
    assert isinstance(content, dict)
    return content


def store(folder: Path, token: str, name: str = "api_key_credentials", **fields: Any) -> None:
    """Write a file as the vendor's client does, but for the fingerprint of the key."""
    content = {"access_token": token, "token_type": "Bearer", "expiration": int(NOW) + 60, "scope": "user"}
    content["api_key_fingerprint"] = fingerprint(KEY, URL)
    (folder / name).write_text(json.dumps({**content, **fields}))


key_texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(key_texts, key_texts, st.sampled_from(["json", "base64"]), st.sampled_from(["", "\n", "\r\n"]))
def test_a_key_is_read_from_json_and_from_base64(client: str, private: str, form: str, end: str) -> None:
    text = json.dumps({"client_id": client, "private_key": private})
    encoded = text if form == "json" else base64.b64encode(text.encode()).decode()
    assert ApiKey.parse(encoded + end, "here") == ApiKey(client, private)


def test_line_ends_inside_a_key_are_dropped() -> None:
    broken = '{"client_id": "a",\r\n "private_key": "BEGIN\nabc\r\nEND"}'
    assert ApiKey.parse(broken, "here") == ApiKey("a", "BEGINabcEND")
    wrapped = base64.encodebytes(KEY_JSON.encode()).decode()
    assert ApiKey.parse(wrapped, "here") == KEY


@pytest.mark.parametrize(
    "text",
    [
        *("", "garbage", "{}", "[]", '{"client_id": "a"}', '{"client_id": 5, "private_key": "very-secret"}'),
        *('{"client_id": "", "private_key": "very-secret"}', "bm8ganNvbg==", "very-secret", "[" * 100_000),
    ],
)
def test_what_is_no_key_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ConfigError, match="CONDUCTOR_API_KEY holds no API key") as caught:
        ApiKey.parse(text, "CONDUCTOR_API_KEY")
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("form", ["json", "base64"])
def test_a_key_file_holds_json_or_base64(home: Path, form: str) -> None:
    (home / "key").write_text(KEY_JSON if form == "json" else base64.b64encode(KEY_JSON.encode()).decode())
    assert api_key(Config.load(environ={"CONDUCTOR_API_KEY_PATH": str(home / "key")}, home=home)) == KEY


def test_a_key_file_that_is_not_there_is_an_error_with_its_source(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"/gone \(api_key_path from CONDUCTOR_API_KEY_PATH\)"):
        api_key(Config.load(environ={"CONDUCTOR_API_KEY_PATH": "/gone"}, home=home))


def test_a_key_in_the_config_file_may_be_a_mapping(home: Path) -> None:
    (home / "c.yml").write_text("api_key:\n  client_id: a\n  private_key: b\n")
    config = Config.load(environ={"CONDUCTOR_CONFIG": str(home / "c.yml")}, home=home)
    assert api_key(config) == ApiKey("a", "b")


def test_without_a_key_there_is_none(home: Path) -> None:
    assert api_key(Config.load(environ={}, home=home)) is None


def test_a_key_and_a_token_hide_their_secrets() -> None:
    assert "abc" not in repr(KEY)
    assert "eyJ" not in repr(Token(jwt(), 1))


@pytest.mark.parametrize(
    ("audience", "api_url", "same"),
    [
        ("http://127.0.0.1:5", "http://127.0.0.1:5", True),
        ("api.conductortech.com", "https://api.conductortech.com", True),
        ("https://other/127.0.0.1:5", "http://127.0.0.1:5", True),
        ("http://127.0.0.1:6", "http://127.0.0.1:5", False),
        ("http://127.0.0.1:5", "http://127.0.0.1:5/", False),
        (None, "http://127.0.0.1:5", False),
        ("", "", False),
        (["http://127.0.0.1:5"], "http://127.0.0.1:5", False),
        (5, "5", False),
    ],
)
def test_the_domain_test_compares_what_follows_the_last_slash(
    audience: Any, api_url: str, same: bool
) -> None:
    assert same_domain(audience, api_url) is same


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.b.c", "a.W10.c", "a.///.c", f"a.{'W1sb' * 9}.c"])
def test_a_token_that_is_no_jwt_has_no_claims(token: str) -> None:
    assert claims(token) == {}
    assert account_of(token) == ""


@pytest.mark.parametrize(("account", "text"), [("5001", "5001"), (5001, "5001"), (None, "")])
def test_the_account_is_read_from_the_token_as_text(account: Any, text: str) -> None:
    assert account_of(jwt(account=account)) == text


def test_a_token_is_bought_once_and_kept(tmp_path: Path) -> None:
    bank = Bank()
    tokens = source(tmp_path / "new", bank)
    assert tokens.token() == tokens.token() == bank.tokens[0]
    assert bank.asked == [KEY]
    content = stored(tmp_path / "new")
    assert content["access_token"] == bank.tokens[0]
    assert content["token_type"] == "Bearer"
    assert content["expiration"] == int(NOW) + 3600
    assert content["scope"] == "user admin owner"
    assert KEY.private_key not in json.dumps(content)
    assert stat.S_IMODE((tmp_path / "new/api_key_credentials").stat().st_mode) == 0o600


def test_another_process_uses_the_kept_token(tmp_path: Path) -> None:
    first, second = Bank(), Bank()
    token = source(tmp_path, first).token()
    assert source(tmp_path, second).token() == token
    assert second.asked == []


@pytest.mark.parametrize("owner", [None, "", "0" * 32])
def test_a_kept_token_of_nobody_knows_which_key_is_replaced(tmp_path: Path, owner: str | None) -> None:
    """The vendor's client does not say it: the token may be that of another account."""
    store(tmp_path, jwt(serial=77), api_key_fingerprint=owner)
    bank = Bank()
    assert source(tmp_path, bank).token() == bank.tokens[0]
    assert stored(tmp_path)["access_token"] == bank.tokens[0]


@given(st.lists(st.builds(ApiKey, st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"])), max_size=8))
def test_whatever_keys_take_turns_each_gets_tokens_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, keys: list[ApiKey]
) -> None:
    folder = tmp_path_factory.mktemp("c")
    bought: dict[str, ApiKey] = {}

    def fetch(key: ApiKey) -> tuple[str, int]:
        token = jwt(serial=len(bought))
        bought[token] = key
        return token, 3600

    for key in keys:
        tokens = TokenSource(key, api_url=URL, fetch=fetch, folder=folder, now=lambda: NOW)
        assert bought[tokens.token()] == key


@given(st.integers(-100, 100))
def test_a_token_is_used_up_to_the_second_it_expires(
    tmp_path_factory: pytest.TempPathFactory, left: int
) -> None:
    folder = tmp_path_factory.mktemp("c")
    store(folder, jwt(serial=77), expiration=int(NOW) + left)
    bank = Bank()
    assert source(folder, bank).token() == (jwt(serial=77) if left >= 0 else bank.tokens[0])


@pytest.mark.parametrize("token", [jwt("http://elsewhere"), jwt(None), "opaque"])
def test_a_kept_token_of_another_server_is_replaced(tmp_path: Path, token: str) -> None:
    store(tmp_path, token)
    bank = Bank()
    assert source(tmp_path, bank).token() == bank.tokens[0]


def test_a_kept_token_of_another_key_is_replaced(tmp_path: Path) -> None:
    source(tmp_path, Bank()).token()
    bank = Bank(jwt(serial=50))
    assert source(tmp_path, bank, ApiKey("client-2", "x")).token() == jwt(serial=50)


def test_a_bought_token_is_used_without_a_domain_test(tmp_path: Path) -> None:
    bank = Bank("opaque-token")
    tokens = source(tmp_path, bank)
    assert tokens.token() == tokens.token() == "opaque-token"
    assert len(bank.asked) == 1


def test_an_expired_token_in_memory_is_replaced(tmp_path: Path) -> None:
    bank = Bank(seconds=10)
    now = [NOW]
    tokens = TokenSource(KEY, api_url=URL, fetch=bank, folder=tmp_path, now=lambda: now[0])
    tokens.token()
    now[0] += 11
    assert tokens.token() == bank.tokens[1]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"access_token": "x"}', '{"access_token": 5}', "\xff"]
)
def test_a_file_that_cannot_be_used_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "api_key_credentials").write_bytes(text.encode("latin-1"))
    bank = Bank()
    assert source(tmp_path, bank).token() == bank.tokens[0]
    assert stored(tmp_path)["access_token"] == bank.tokens[0]


@pytest.mark.parametrize("token", ["", "two words", "new\nline", "g\xe4nse"])
def test_a_token_that_fits_no_header_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(LoginError, match="header"):
        source(tmp_path, Bank(token)).token()


def test_a_refused_token_is_replaced_once_for_all_threads(tmp_path: Path) -> None:
    bank = Bank()
    tokens = source(tmp_path, bank)
    refused = tokens.token()
    gate = threading.Barrier(8)

    def renew(_: int) -> str:
        gate.wait()
        return tokens.renew(refused)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(renew, range(8))) == {bank.tokens[1]}
    assert len(bank.asked) == 2
    assert stored(tmp_path)["access_token"] == bank.tokens[1]


def test_a_refused_token_is_replaced_once_even_where_none_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bank = Bank()
    tokens = source(tmp_path / "file/folder", bank)
    refused = tokens.token()
    assert tokens.renew(refused) == tokens.renew(refused) == bank.tokens[1]
    assert len(bank.asked) == 2


def test_sources_that_share_a_folder_buy_one_token_between_them(tmp_path: Path) -> None:
    bank = Bank()
    gate = threading.Barrier(8)

    def ask(_: int) -> str:
        gate.wait()
        return source(tmp_path, bank).token()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {bank.tokens[0]}
    assert len(bank.asked) == 1
    left = {path.name for path in tmp_path.iterdir()} - {"home"}
    assert left == {"api_key_credentials", "api_key_credentials.lock"}


def test_without_a_place_to_keep_it_the_token_is_used_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    bank = Bank()
    assert source(tmp_path / "file/folder", bank).token() == bank.tokens[0]
    assert "cannot be kept" in caplog.text


def test_without_a_key_the_browsers_token_is_used_and_never_bought(tmp_path: Path) -> None:
    store(tmp_path, jwt(serial=5), "credentials", scope=["user"])
    bank = Bank()
    tokens = source(tmp_path, bank, None)
    assert tokens.token() == jwt(serial=5)
    with pytest.raises(
        LoginError, match=r"credentials\) was refused by http://conductor.test; run 'conductor login'"
    ):
        tokens.renew(jwt(serial=5))
    assert bank.asked == []


@pytest.mark.parametrize(
    ("token", "expiration", "reason"),
    [
        (jwt(), NOW - 1, "has expired"),
        (jwt("http://elsewhere"), NOW + 60, "is for another server than http://conductor.test"),
        (jwt("http://elsewhere"), NOW - 1, "is for another server than http://conductor.test"),
        (jwt(None), NOW + 60, "is for another server"),
        ("opaque", NOW + 60, "is for another server"),
    ],
)
def test_a_browser_login_that_cannot_be_used_says_why(
    tmp_path: Path, token: str, expiration: float, reason: str
) -> None:
    store(tmp_path, token, "credentials", expiration=int(expiration))
    with pytest.raises(LoginError, match=reason) as caught:
        source(tmp_path, Bank(), None).token()
    assert "no API key is configured" not in str(caught.value)
    assert token not in str(caught.value)


def test_without_a_key_and_a_token_the_error_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(LoginError, match="CONDUCTOR_API_KEY_PATH"):
        source(tmp_path, Bank(), None).token()


def test_nothing_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "conductor")  # a command that ran in this process may have said otherwise
    bank = Bank()
    tokens = source(tmp_path, bank)
    tokens.renew(tokens.token())
    (tmp_path / "api_key_credentials").write_text('{"access_token": "very-secret"')
    source(tmp_path, bank).token()
    assert "valid for 3600 s" in caplog.text
    assert not any(secret in caplog.text for secret in (*bank.tokens, "very-secret", "abc"))


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ({"client_id": "a"}, "its private_key is missing"),
        ({"private_key": "a"}, "its client_id is missing"),
        ({"client_id": "", "private_key": "a"}, "its client_id must be a text that is not empty"),
        ({"client_id": "a", "private_key": 7}, "its private_key must be a text that is not empty"),
    ],
)
def test_what_a_key_lacks_is_named(content: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ConfigError, match=f"somewhere holds no API key: {wrong}"):
        ApiKey.parse(json.dumps(content), "somewhere")
