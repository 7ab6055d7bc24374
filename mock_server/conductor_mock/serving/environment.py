"""The environment that points programs at a server: the one place where it is made.

Every variable that names a server, or is a key to one, is set or taken away, so that nothing of another server is
passed on. Preferences of whoever works here (a project, a location, proxies) are theirs and stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from conductor_mock.store.keys import Keys

URLS = ("CONDUCTOR_URL", "CONDUCTOR_API_URL", "CONDUCTOR_AUTH_URL")
API_KEY = "CONDUCTOR_API_KEY"
ADMIN_TOKEN = "CONDUCTOR_MOCK_ADMIN_TOKEN"  # noqa: S105 - a name
NO_PROXY = ("NO_PROXY", "no_proxy")
"""Programs read one or the other, and some only the small one."""

OF_ONE_SERVER = (
    *URLS,
    API_KEY,
    "CONDUCTOR_API_KEY_PATH",
    ADMIN_TOKEN,
    "CONDUCTOR_MOCK_READY_FILE",
    "CONDUCTOR_MOCK_SMTP",
)
"""What names a server or opens it: set for the one that is meant, or gone."""

KEPT = (
    "CONDUCTOR_CONFIG",  # what is set above wins over the file
    "CONDUCTOR_USER_DIR",
    "CONDUCTOR_MOCK_RUN",  # marks the processes of a run, however deep
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
"""What else is read here. So are the client's settings by their names (CONDUCTOR_PROJECT), and proxies."""

_LOCAL = ("127.0.0.1", "localhost")


def client_environment(url: str, keys: Keys, *, admin_token: str | None = None) -> dict[str, str]:
    """What a client of either kind reads (wire reference 1.8), and that no proxy comes between."""
    environment = {API_KEY: keys.api_key(), **environment_of(url)}
    if admin_token:
        environment[ADMIN_TOKEN] = admin_token
    return environment


def environment_of(url: str) -> dict[str, str]:
    """What names a server, whatever key opens it."""
    hosts = ",".join(dict.fromkeys((*_LOCAL, urlsplit(url).hostname or "")))
    return {**dict.fromkeys(URLS, url), **dict.fromkeys(NO_PROXY, hosts)}


def merged(own: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """`given`, with the hosts that `own` wants no proxy for before its own."""
    hosts = [
        host.strip()
        for variables in (own, given)
        for name in NO_PROXY
        for host in variables.get(name, "").split(",")
        if host.strip()
    ]
    return {**given, **dict.fromkeys(NO_PROXY, ",".join(dict.fromkeys(hosts)))}


def removed(given: Mapping[str, str]) -> list[str]:
    """The variables of another server that must not stand beside `given`."""
    return [name for name in OF_ONE_SERVER if name not in given]


def handed_out(own: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a program that works with the server of `given`, begun by one that has `own`."""
    kept = {name: value for name, value in own.items() if name not in OF_ONE_SERVER}
    return {**kept, **merged(own, given)}
