"""The server that a command asks, and the account that it asks about."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

import click

from conductor_contracts.groups import Group
from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_mock.serving import ready
from conductor_mock.settings import DEFAULT_PORT, NoHomeError, default_data_dir

if TYPE_CHECKING:
    import requests  # when a command asks: help and completion ask nobody

NULL = object()
"""A body of JSON null, where None is no body."""
CONNECT_S = 10
"""How long a connection may take. An answer may take as long as it does: `until idle` is a long way."""

F = TypeVar("F", bound=Callable[..., Any])


class UnreachableError(click.ClickException):
    """No server, or none of ours."""

    exit_code = 2


class RefusedError(click.ClickException):
    """The server says no; the text is its reason."""


class Sink(Protocol):
    """What an answer is written to."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask and about whom; `as_json` is how to answer the user."""

    url: str
    account: str | None
    admin_token: str | None
    as_json: bool

    def ask(
        self, method: str, path: str, *, body: Any = None, query: Mapping[str, str | None] | None = None
    ) -> Any:
        """The JSON answer of one control call (None where there is none). Raises UnreachableError, RefusedError."""
        import requests

        data = b"" if body is None else json.dumps(None if body is NULL else body).encode("ascii")
        with requests.Session() as session:
            answer = self._send(session, method, path, data=data, query=query)
            return answer.json() if answer.content else None

    def fetch(self, path: str, sink: Sink, *, query: Mapping[str, str | None]) -> None:
        """Write the answer of a control call to `sink`. Raises as `ask` does."""
        import requests

        with requests.Session() as session:
            answer = self._send(session, "GET", path, query=query, stream=True)
            try:
                for block in answer.iter_content(1 << 18):
                    sink.write(block)
            except requests.RequestException as error:
                raise UnreachableError(f"the answer of {self.url} broke off: {error}") from None

    def send(self, path: str, source: IO[bytes], media_type: str) -> Any:
        """Post a file. Raises as `ask` does."""
        import requests

        with requests.Session() as session:
            return self._send(session, "POST", path, data=source, media_type=media_type).json()

    def show(self, answer: Any, lines: Iterable[str]) -> None:
        """Print an answer: as it came with `--json`, else in words."""
        if self.as_json:
            echo(json.dumps(answer, indent=2), raw=True)
        else:
            for line in lines:
                echo(line)

    def show_line(self, record: Any, lines: Iterable[str]) -> None:
        """Print one record of many at once: as an object on a line with `--json`, else in words."""
        for line in [json.dumps(record)] if self.as_json else lines:
            echo(line, raw=self.as_json)
        sys.stdout.flush()

    def _send(
        self,
        session: requests.Session,
        method: str,
        path: str,
        *,
        data: bytes | IO[bytes] | None = None,
        query: Mapping[str, str | None] | None = None,
        media_type: str = "application/json",
        stream: bool = False,
    ) -> requests.Response:
        import requests

        session.trust_env = False  # a proxy would not find this machine
        headers = {"Content-Type": media_type}
        if self.admin_token:
            headers["Authorization"] = f"Bearer {self.admin_token}"
        try:
            answer = session.request(
                method,
                f"{self.url}/_mock/{path}",
                params={**(query or {}), "account": self.account},
                data=data,
                headers=headers,
                timeout=(CONNECT_S, None),
                stream=stream,
                allow_redirects=False,
            )
        except (requests.RequestException, ValueError) as error:
            raise UnreachableError(
                f"no conductor-mock answers at {self.url} ({_reason(error)}); start one with "
                f"'conductor-mock serve', or name another with --url{_elsewhere(self.url)}"
            ) from None
        if "X-Conductor-Mock" not in answer.headers:
            raise UnreachableError(
                f"what answers at {self.url} is no conductor-mock; name yours with --url or CONDUCTOR_URL"
            )
        if answer.status_code >= 400:
            raise RefusedError(_message(answer))
        return answer


def target_options(command: F) -> F:
    """Give a command the options that name a server and an account, and hand it the `target` made of them."""
    options = [
        click.option(
            "--url",
            help="Where the server listens.  [default: that of --ready-file, else CONDUCTOR_URL, else port 8089]",
        ),
        click.option(
            "--ready-file",
            type=LocalPath(path_type=Path, dir_okay=False),
            envvar="CONDUCTOR_MOCK_READY_FILE",
            help="The file that 'serve --ready-file' wrote.",
        ),
        click.option("--account", metavar="CLIENT_ID", help="Whose account.  [default: the server's own]"),
        click.option("--admin-token", envvar="CONDUCTOR_MOCK_ADMIN_TOKEN", help="What 'serve' was given."),
        click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON."),
    ]

    def run(
        url: str | None,
        ready_file: Path | None,
        account: str | None,
        admin_token: str | None,
        as_json: bool,
        **others: Any,
    ) -> Any:
        target = Target(_url(url, ready_file), account, admin_token, as_json)
        return command(target=target, **others)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # those before us
    for option in reversed(options):
        option(run)
    return run  # type: ignore[return-value]  # click hands both the same options


class DefaultGroup(Group):
    """A group whose first command is meant when none is named: `conductor-mock clock --json` shows the clock."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


def read_ready_file(path: Path) -> dict[str, Any]:
    """What a running server wrote of itself: `url`, `pid`, `version`, `env`. Raises UnreachableError."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        str(document["url"]), dict(document["env"])
    except OSError as error:
        raise UnreachableError(
            f"cannot read the ready file {path}: {error.strerror}; is the server running?"
        ) from None
    except (ValueError, LookupError, TypeError):
        raise UnreachableError(f"{path} is no ready file of conductor-mock serve") from None
    return document


def _url(url: str | None, ready_file: Path | None) -> str:
    if url is None and ready_file is not None:
        url = str(read_ready_file(ready_file)["url"])
    url = url or os.environ.get("CONDUCTOR_URL") or f"http://127.0.0.1:{DEFAULT_PORT}"
    return url.rstrip("/")


def _elsewhere(url: str) -> str:
    """Where the server of the user's own data directory listens, if it is another one than was asked."""
    try:
        directory = default_data_dir()
    except NoHomeError:
        return ""
    found = ready.of_running(directory)
    if found is None or found["url"] == url:
        return ""
    return f'; yours is at {found["url"]}: eval "$(conductor-mock env)"'


def _message(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, LookupError, TypeError):
        return f"the server answered {answer.status_code}"


def _reason(error: Exception) -> str:
    text = str(error).lower()
    if "refused" in text:
        return "connection refused"
    return "it did not connect in time" if "timed out" in text else type(error).__name__
