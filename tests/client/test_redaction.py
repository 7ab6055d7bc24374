"""Keeping secrets out of texts."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.wire.redaction import host_of, scrub, scrub_urls
from conductor.lib.wire.transport import Transport
from support.client_world import jwt


@pytest.mark.parametrize(
    "text",
    [
        *("Authorization: Bearer SECRET", "{'Authorization': 'Bearer SECRET'}", "bearer SECRET."),
        *("-----BEGIN KEY-----\nSECRET\n-----END KEY-----", "-----BEGIN RSA PRIVATE KEY-----SECRET"),
        *("/api/oauth_jwt?client_id=a&client_secret=SECRET", "?X-Goog-Signature=SECRET&x=1", "x?sig=SECRET"),
        *(
            "{'private_key': 'SECRET', 'a': 1}",
            "{b'client_secret': b'SECRET'}",
            '{"clientSecret": ["]", "SECRET"]}',
        ),
        *(
            '{"api-key": {"a": "}", "b": "SECRET"}}',
            "https://kim:SECRET@proxy:3128/",
            "run --api-key=SECRET -x",
        ),
        *(
            "run --admin-token SECRET",
            repr("Bearer\nSECRET"),
            "value=Bearer+SECRET",
            "Authorization: Basic SECRET",
        ),
        *('{"private_key": "SECRET"}', '{"access_token":"SE\\"CRET"}', "?access_token=SECRET"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    assert "SECRET" not in scrub(text)
    assert "CRET" not in scrub(text)


def test_a_jwt_is_hidden_wherever_it_stands() -> None:
    assert scrub(f"the token {jwt()} is bad") == "the token *** is bad"


def test_a_named_secret_is_hidden_and_the_rest_stays() -> None:
    assert scrub("token opaque is bad", ["opaque", ""]) == "token *** is bad"


@given(st.text(st.characters(exclude_characters="-", codec="utf-8"), max_size=50))
def test_ordinary_text_without_marks_of_a_secret_stays(text: str) -> None:
    plain = text.replace("earer", "").replace("eyJ", "").replace("?", "").replace("&", "").replace('"', "")
    assert scrub(plain) == plain


def test_queries_and_unknown_paths_are_hidden() -> None:
    text = 'http://a.b:80 "GET /api/x?secret=1 HTTP/1.1" and https://store/bucket/file?sig=2'
    hidden = scrub_urls(text, ["/api/"])
    assert hidden == 'http://a.b:80 "GET /api/x?*** HTTP/1.1" and https://store/***?***'


def test_the_host_of_a_url_is_without_user_and_path() -> None:
    assert host_of("https://user:pass@a.b:8/c?d") == "https://a.b:8"


def test_the_log_of_the_http_library_is_made_safe_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(2):
        Transport().close()
    logger = logging.getLogger("urllib3.connectionpool")
    logger.debug('%s://%s:%s "%s %s"', "http", "a", 80, "GET", "/api/oauth_jwt?client_secret=s3")
    logger.debug('%s://%s:%s "%s %s"', "http", "a", 80, "PUT", "/s1gn/d")
    assert caplog.messages == ['http://a:80 "GET /api/oauth_jwt?***"', 'http://a:80 "PUT /***"']
    assert len(logger.filters) == 1
