"""The fake in a test's hands: what it holds. `assertions` says what is asserted of it, `steering` moves it."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from conductor_mock.serving.environment import API_KEY, environment_of, removed
from conductor_mock.store.durable import NewFile
from conductor_mock.testkit.assertions import Assertions, forgotten_words
from conductor_mock.testkit.beginning import Beginning
from conductor_mock.testkit.control import Control
from conductor_mock.testkit.given import known_operation
from conductor_mock.testkit.outcomes import Outcomes
from conductor_mock.testkit.places import Place
from conductor_mock.testkit.steering import Catalog, Clock, Faults, Options
from conductor_mock.testkit.surroundings import variables
from conductor_mock.testkit.values import Account, Content, File, Job, Mail, Request
from conductor_mock.testkit.waits import Waits
from conductor_mock.wire.md5 import to_base64

if TYPE_CHECKING:
    from conductor_mock.testkit.client import ApiClient


class ForgottenRequests(UserWarning):
    """The journal has forgotten requests of the account, and so not all are told."""


class Fake(Assertions):
    """One account of a fake service. Whatever it answers is as things are at that moment."""

    def __init__(self, place: Place, account: Account, beginning: Beginning | None = None) -> None:
        """An account of `place`, made if it was not used yet. Raises ControlError."""
        self._place = place
        self._beginning = beginning or Beginning()
        control = Control(place.control_url, account, place.control_adapter(), place.admin_token)
        self._control = control
        self.environment = {**place.environment(), API_KEY: account.api_key()}
        """The variables that point programs here."""
        self.clock = Clock(control)
        self.faults = Faults(control)
        self.outcomes = Outcomes(control)
        self.options = Options(control)
        self.catalog = Catalog(control)
        self.waits = Waits(self.clock)
        """What the clients of `client` have waited."""
        place.open_account(control)
        self._begun = place.newest_request()
        self._beginning.apply(control)

    @property
    def url(self) -> str:
        """The origin of the service."""
        return self._place.url

    @property
    def account(self) -> Account:
        """The account, with its key."""
        return self._control.account

    # What it holds

    @property
    def jobs(self) -> list[Job]:
        """Every job, oldest first."""
        return [Job.of(record) for record in self._control.ask("GET", "jobs")["jobs"]]

    def job(self, jid: str | int) -> Job:
        """One job. Raises ControlError where there is none of that id."""
        return Job.of(self._control.ask("GET", f"jobs/{jid}"))

    @property
    def files(self) -> list[File]:
        """Every path that was declared for upload and whose content is held."""
        return [File(**record) for record in self._control.ask("GET", "files")["files"]]

    def file(self, path: str | os.PathLike[str]) -> Content:
        """What is held for a path: the last content that came. Raises ControlError where there is none."""
        name = os.fspath(path).replace("\\", "/")
        content = self._control.read("files/content", path=name)
        return Content(name, _md5(content), len(content), content)

    @property
    def mails(self) -> list[Mail]:
        """The mails that jobs caused when they ended, oldest first. None is sent anywhere."""
        return [Mail.of(record) for record in self._control.ask("GET", "mails")["mails"]]

    def requests(self, operation: str | None = None) -> list[Request]:
        """What was asked, oldest first; only of one operation by its id, such as "jobs.create".

        Warns (ForgottenRequests) where the server, which keeps 10,000 requests of all accounts, had to forget some.
        Raises ValueError for an operation that the contract does not have.
        """
        asked, forgotten = self._journal(operation)
        if forgotten:
            warnings.warn(forgotten_words(forgotten), ForgottenRequests, stacklevel=2)
        return asked

    def _journal(self, operation: str | None = None) -> tuple[list[Request], int]:
        query = {} if operation is None else {"operation": known_operation(operation)}
        journal = self._control.journal(**query)
        return [Request.of(entry) for entry in journal.entries], journal.forgotten

    @property
    def forgotten(self) -> int:
        """How many requests of the account `requests` has no longer, since `reset`."""
        return int(self._control.ask("GET", "requests", limit="1").get("forgotten", 0))

    @property
    def strays(self) -> list[Request]:
        """What matched no operation since this fake is there, and carried no token that says whose it was.

        None are known of a server that others may use at the same time.
        """
        if self._begun is None:
            return []
        after = str(self._begun)
        every = self._control.journal(after=after, account="*").entries
        odd = [entry for entry in every if entry["operation"] is None]
        own = {entry["id"] for entry in self._control.journal(after=after).entries} if odd else set()
        return [Request.of(entry) for entry in odd if entry["id"] not in own]

    def save_bundle(self, path: str | os.PathLike[str], *, files: bool = True) -> Path:
        """Write the account to a file that `conductor-mock bundle replay` makes it of again, with uploads or not.

        One that is there is replaced, as a test that runs again wants it; whole, or not at all. Only its owner may read
        it, since payloads hold what people put into them. Raises ControlError and OSError.
        """
        target = Path(path)
        content = self._control.read("bundle", files="1" if files else "0")
        target.parent.mkdir(parents=True, exist_ok=True)
        with NewFile(target.parent, private=True, durable=False) as sink:
            sink.write(content)
            sink.place(target)
        return target

    # What it does

    def client(self) -> ApiClient:
        """A client of the library that never waits: `waits` counts what it would have. Close it, or use `with`."""
        from conductor_mock.testkit.client import waiting_client

        return waiting_client(self.environment, self.waits)

    def empty(self) -> None:
        """Leave nothing of the account but its name, for whoever goes on with the server."""
        self._control.ask("POST", "reset", {})
        self._begun = self._place.newest_request()

    def reset(self) -> None:
        """As new: no jobs, files, faults, outcomes or requests, the options of its beginning; tokens stay valid."""
        self.empty()
        self._beginning.apply(self._control)

    def stop(self) -> None:
        """Let nobody answer at `url`, until `start`. What is asked of this object is answered all the same.

        Raises ControlError for a server that serves others too.
        """
        self._place.stop()

    def start(self) -> None:
        """Answer again, with all that there was. Safe to call twice."""
        self._place.start()

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Put this very fake on a socket too, for the length of the block, with the variables of this process and
        `environment` naming that; the origin is what it gives. A fake that is on one stays there.
        """
        with self._place.serve() as url:
            before = self.environment
            self.environment = {**before, **environment_of(url)}
            try:
                with variables(self.environment, removed(self.environment)):
                    yield url
            finally:
                self.environment = before


def _md5(content: bytes) -> str:
    return to_base64(hashlib.md5(content, usedforsecurity=False).digest())
