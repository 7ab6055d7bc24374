"""The service as an object, and the functions that the documented API names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from conductor.lib.cancellation import Cancellation
from conductor.lib.config import Config
from conductor.lib.exceptions import LoginError
from conductor.lib.login.api_keys import ApiKey, api_key
from conductor.lib.login.credentials import SCOPE, TokenSource, account_of
from conductor.lib.submission.ledger import ledger_folder
from conductor.lib.submission.send import Submission
from conductor.lib.wire.call import Tokens
from conductor.lib.wire.calls import Calls
from conductor.lib.wire.limits import lifetime
from conductor.lib.wire.operations import ACCOUNTS_GET
from conductor.lib.wire.records import object_of, records_of
from conductor.lib.wire.transport import Transport


class ApiClient:
    """The service as an object. Close it, or use it as a context manager, to close its connections.

    Without arguments everything comes from the config file and the environment (see ``config``). Raises ConfigError for
    a service of https with a CA bundle that cannot be read. Methods raise the errors of ``exceptions``; which requests
    are repeated is the table in ``retry``. Safe to use from several threads.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        transport: Transport | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        self.config = config or Config.load()
        self.transport = transport or Transport()
        for origin in (self.config.url, self.config.api_url):
            self.transport.check(origin)  # now, and not when all files have been read
        self._tokens = tokens or TokenSource(
            api_key(self.config), api_url=self.config.api_url, fetch=self.fetch_token
        )
        self.calls = Calls(self.transport, self._tokens, url=self.config.url, api_url=self.config.api_url)

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self.transport.close()

    def branch(self, cancellation: Cancellation) -> ApiClient:
        """Return a client like this one, whose calls end with CancelledError when cancelled. Close both."""
        return ApiClient(self.config, transport=self.transport.branch(cancellation), tokens=self._tokens)

    @property
    def account_id(self) -> str:
        """The account that the token in use speaks for; empty if it names none (wire reference 1.5)."""
        return account_of(self._tokens.token())

    def fetch_token(self, key: ApiKey) -> tuple[str, int]:
        """Exchange an API key for a token and its lifetime in seconds (wire reference 1.1)."""
        sent = self.calls.auth_token(key.client_id, key.private_key, SCOPE)
        body = object_of(sent)
        token = body.get("access_token")
        try:
            if isinstance(token, str):
                return token, lifetime(body.get("expires_in"))
        except ValueError:
            pass
        raise sent.unexpected("access_token must be text and expires_in a number of seconds")

    def get_account(self, account_id: str | None = None) -> dict[str, Any]:
        """Return the account's record, such as ``{"name": ...}``; by default that of the token in use.

        Raises LoginError if the token names no account (wire reference 1.5, 1.6).
        """
        account_id = account_id or self.account_id
        if not account_id:
            reason = "the token names no account; use another API key"
            raise LoginError(f"{ACCOUNTS_GET.id}: {reason}", operation=ACCOUNTS_GET.id)
        sent = self.calls.accounts_get(account_id)
        record = object_of(sent).get("data")
        if not isinstance(record, dict):
            raise sent.unexpected("data must be an object")
        return record

    def list_packages(self) -> list[dict[str, Any]]:
        """Return every software package, of all platforms, as the service describes it (wire reference 2.1)."""
        return records_of(self.calls.packages_list())

    def list_projects(self, statuses: Iterable[str] = ("active",)) -> list[dict[str, Any]]:
        """Return the projects of these statuses, of all if there are none given (wire reference 2.2)."""
        accepted = frozenset(statuses)
        projects = records_of(self.calls.projects_list())
        return [project for project in projects if not accepted or project.get("status") in accepted]

    def list_instance_types(self, filter_text: str = "") -> list[dict[str, Any]]:
        """Return the machines there are (wire reference 2.3).

        ``filter_text`` is in the service's grammar: ``gpu.gpu_count=eq:1:int,operating_system=ne:windows``.
        """
        return records_of(self.calls.instance_types_list(filter_text))

    def list_jobs(self, filter_text: str = "") -> list[dict[str, Any]]:
        """Return jobs (wire reference 2.9). ``filter_text`` is such as ``jid_gt_00011,jid_lt_00013``."""
        return records_of(self.calls.jobs_list(filter_text))

    def create_job(self, payload: Mapping[str, Any], *, key: str = "") -> tuple[dict[str, Any], int]:
        """Submit a job and return ``(answer, 201)`` (wire reference 2.8).

        At most one job is made (``submission``): where that cannot be told, OutcomeUnknownError says what to look
        for. ``key`` is the Idempotency-Key, a new one by default. A 204, which the vendor's clients know, has no
        body and returns ``({}, 204)``.
        """
        return Submission(self.calls, payload, folder=ledger_folder(), key=key).send()


def request_software_packages() -> list[dict[str, Any]]:
    """Return every software package, with the settings of file and environment."""
    with ApiClient() as client:
        return client.list_packages()


def request_projects(statuses: Iterable[str] = ("active",)) -> list[str]:
    """Return the names of the projects of these statuses, with the settings of file and environment.

    Names, as the vendor's function of this name returns them [ran]; ``ApiClient.list_projects`` gives records.
    """
    with ApiClient() as client:
        return [record["name"] for record in client.list_projects(statuses)]


def request_instance_types(filter_text: str = "") -> list[dict[str, Any]]:
    """Return the machines there are, with the settings of file and environment."""
    with ApiClient() as client:
        return client.list_instance_types(filter_text)


def request_jobs(filter_text: str = "") -> list[dict[str, Any]]:
    """Return jobs, with the settings of file and environment."""
    with ApiClient() as client:
        return client.list_jobs(filter_text)


@contextmanager
def client_or_own(client: ApiClient | None, config: Config | None = None) -> Iterator[ApiClient]:
    """Give the client, or a new one that is closed afterwards, by default with the settings of file and environment."""
    if client is not None:
        yield client
        return
    with ApiClient(config) as own:
        yield own
