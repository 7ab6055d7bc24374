"""The way back to a client in this process: the requests library as it sees each fault on a socket (`fault.Wire`)."""

from __future__ import annotations

import errno
import http.client
from typing import NoReturn

import requests
import urllib3


class RequestsWire:
    """Nothing waits, and a request has come as a whole."""

    def hold_back(self, seconds: float) -> bool:
        return True

    def stall(self, seconds: float) -> NoReturn:
        raise requests.ReadTimeout(f"a fault was asked for: nothing came for {seconds:g} s")

    def reset(self, *, read_body: bool) -> NoReturn:
        raise _aborted(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def close(self) -> NoReturn:
        raise _aborted(http.client.RemoteDisconnected("Remote end closed connection without response"))

    def garble(self, junk: bytes) -> NoReturn:
        raise _aborted(http.client.BadStatusLine(repr(junk)))


def _aborted(cause: Exception) -> requests.ConnectionError:
    """What requests makes of a connection that broke."""
    return requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", cause))
