"""URLs that are not parsed: what is made of them is what requests and urllib3 make."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import assume, example, given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from conductor.lib.wire import preparing, urls
from conductor.lib.wire.connections import OpenConnections
from conductor.lib.wire.session import Adapter
from support.examples import examples

SIGNED = (
    "http://127.0.0.1:18999/_objects/put/0f3a?expires=1234567890&signature=abcdef",
    "https://store.example.amazonaws.com/a/b%20c.exr?X-Amz-Credential=K%2F20261127%2Fs3&X-Amz-Signature=9f",
    "https://storage.googleapis.com/bucket/a-b_c~d?GoogleAccessId=x%40y&Signature=a%2Bb%3D%3D",
)
hosts = st.from_regex(r"[a-zA-Z0-9.:\-@\[\]*]{1,12}", fullmatch=True)
rest = st.text(st.sampled_from("aZ09/.?#%2F-_~&=+'()!:@ \\{}|^`\"<>\r\n\t\x00é"), max_size=24)
any_url = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    hosts,
    st.sampled_from(["/", "", "?"]),
    rest,
)


def as_requests_writes(url: str) -> str:
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.url or ""


def is_plain(url: str) -> bool:
    return preparing._PLAIN.fullmatch(url) is not None


@examples(200, full=600)
@given(any_url)
@example("http://a/%41")
@example("http://a/%2f")
@example("http://a/x/../y")
@example("http://a:99999/")
@example("http://a/?")
@example("http://a/\n")
def test_a_plain_url_is_what_requests_would_write(url: str) -> None:
    if is_plain(url):
        assert as_requests_writes(url) == url


@pytest.mark.parametrize("url", SIGNED)
def test_signed_urls_are_plain(url: str) -> None:
    assert is_plain(url)


@examples(100, full=300)
@given(any_url, st.dictionaries(st.sampled_from(["Accept", "Range", "X-Y"]), st.text(max_size=3)))
@example(SIGNED[0], {"Accept": " a"})
@example("http://a/", {"Range": "b\r\nC: d"})
@example("http://a/", {"Range": "b\nC: d"})
@example("http://a:80?x", {})
@example("http://u:p@a/b#c?d", {"Accept": "*/*"})
def test_a_request_is_prepared_and_asked_for_as_requests_does(url: str, headers: dict[str, str]) -> None:
    def prepared(prepare: Callable[[], requests.PreparedRequest]) -> object:
        try:
            request = prepare()
        except (requests.RequestException, UnicodeError) as error:
            return type(error)
        return request.method, request.url, dict(request.headers), request.hooks

    as_written = requests.Request("PUT", url, headers=headers)
    expected = prepared(as_written.prepare)
    headers = {**headers, "Content-Length": "0"}  # which Request.prepare adds
    assert prepared(lambda: preparing.prepare("PUT", url, headers)) == expected


@examples(100, full=300)
@given(any_url)
@example(SIGNED[0])
@example("http://a:80?x")
@example("http://a/b#c?d")
def test_a_request_names_what_it_asks_for_as_with_requests(url: str) -> None:
    try:
        request = preparing.prepare("PUT", url, {})
    except (requests.RequestException, UnicodeError):
        assume(False)
    adapter = Adapter(OpenConnections(), 1)
    assert adapter.request_url(request, {}) == HTTPAdapter().request_url(request, {})
    origin, target = urls.origin_and_target(request.url or "")
    assert (origin + target).partition("#")[0] in (request.url or "", f"{request.url}/".partition("#")[0])


@examples(100, full=300)
@given(any_url)
@example("http://user@a/")
@example("http://a:/x")
def test_the_host_of_a_url_is_that_of_the_parser(url: str) -> None:
    origin = urls.plain_origin(url)
    if origin:
        parts = urlsplit(url)
        assert origin == f"{parts.scheme}://{parts.netloc}"
        assert parts.hostname
        assert parts.port is None or parts.port >= 0
