"""Which requests go through a proxy."""

from __future__ import annotations

import pytest

from conductor.lib.wire.proxies import Proxies, is_loopback

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5000/x",
        "http://localhost/x",
        "http://[::1]:5/x",
        "http://127.9.9.9",
        "http://a.localhost",
    ],
)
def test_loopback_never_goes_through_a_proxy(url: str) -> None:
    assert Proxies.from_environment({"http_proxy": PROXY, "ALL_PROXY": PROXY}).for_url(url) == {}


def test_each_scheme_has_its_proxy_and_lower_case_wins() -> None:
    proxies = Proxies.from_environment(
        {"http_proxy": PROXY, "HTTP_PROXY": "http://other", "ALL_PROXY": "http://all"}
    )
    assert proxies.for_url("http://a.b/x") == {"http": PROXY}
    assert proxies.for_url("https://a.b/x") == {"https": "http://all"}
    assert Proxies.from_environment({}).for_url("http://a.b") == {}


@pytest.mark.parametrize(
    ("without", "url", "direct"),
    [
        ("a.b", "http://a.b/x", True),
        ("a.b", "http://x.a.b/x", True),
        (".a.b", "http://x.a.b/x", True),
        ("*.a.b", "http://x.a.b/x", True),
        ("a.b", "http://xa.b/x", False),
        ("a.b:81", "http://a.b:81/x", True),
        ("a.b:81", "http://a.b:82/x", False),
        ("x, A.B ", "http://a.b/x", True),
        ("*", "http://a.b/x", True),
        ("10.0.0.0/8", "http://10.1.2.3/x", True),
        ("10.0.0.0/8", "http://11.1.2.3/x", False),
        ("10.0.0.0/8", "http://a.b/x", False),
        ("fe80::1", "http://[fe80::1]/x", True),
    ],
)
def test_no_proxy_names_hosts_suffixes_ports_and_networks(without: str, url: str, direct: bool) -> None:
    proxies = Proxies.from_environment({"http_proxy": PROXY, "no_proxy": without})
    assert proxies.for_url(url) == ({} if direct else {"http": PROXY})


def test_a_name_that_only_begins_like_loopback_is_not_loopback() -> None:
    assert not is_loopback("127.0.0.1.example.com")
    assert not is_loopback("localhost.example.com")
