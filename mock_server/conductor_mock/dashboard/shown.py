"""What every page has: navigation, the account, links that keep it; and how times, money and sizes are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from flask import render_template, request

from conductor_contracts.problems import count
from conductor_mock.api.doors import form_proof
from conductor_mock.catalog import Catalog
from conductor_mock.context import service
from conductor_mock.control.selection import account_meant, state_to_show
from conductor_mock.dashboard import live
from conductor_mock.farm import billing
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.statuses import Outcome, TaskStatus
from conductor_mock.version import version

T = TypeVar("T")

NAVIGATION = (
    ("/", "Jobs"),
    ("/clock", "Clock"),
    ("/requests", "Requests"),
    ("/faults", "Faults"),
    ("/packages", "Packages"),
    ("/machines", "Machines"),
    ("/files", "Files"),
    ("/usage", "Usage"),
    ("/mails", "Mails"),
    ("/fidelity", "Fidelity"),
    ("/connect", "Connect"),
)
"""The areas of the dashboard, by the path of each one's first page."""

TOLD_OF: Mapping[str, str] = {"/requests": live.REQUESTS, "/faults": live.FAULTS}
"""Areas that something else than the account's own changes makes old, and what it is."""

MARKS: Mapping[str, str] = {
    TaskStatus.PENDING: "·",
    TaskStatus.HOLDING: "‖",
    TaskStatus.RUNNING: "▸",
    TaskStatus.SUCCESS: "✓",
    TaskStatus.DOWNLOADED: "↓",
    TaskStatus.FAILED: "✕",
    TaskStatus.PREEMPTED: "↺",
    TaskStatus.KILLED: "■",
    TaskStatus.REVIEWED: "★",
    Outcome.LOST: "↺",
    Outcome.STOPPED: "↺",
}
"""What tells statuses apart without colour."""

MOST_ACCOUNTS = 100
"""The picker offers so many; any other one is reached by `?account=`."""
PAGE = 100
CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """One page of a list, counted from 1."""

    items: Sequence[T]
    page: int
    pages: int
    total: int
    first: int
    last: int


def show(template: str, *, account: str, area: str = "/", sought: str = "", **values: Any) -> str:
    """A page of the dashboard; `account` is the client_id of the account that it is about."""
    names = service().accounts.names(MOST_ACCOUNTS)
    told_of = TOLD_OF.get(area)
    return render_template(
        template,
        account=account,
        accounts=sorted({*names, account}),
        area=area,
        chosen=request.args.get("account"),
        page_mark=live.mark(told_of),
        count=count,
        told_of=told_of,
        executing=service().settings.execute,
        form_proof=form_proof,
        link=link,
        marks=MARKS,
        navigation=NAVIGATION,
        sought=sought,
        version=version(),
        **values,
    )


def link(path: str, **query: object) -> str:
    """Another page about the same account."""
    chosen = request.args.get("account")
    every = {**query, **({} if chosen is None else {"account": chosen})}
    text = urlencode(
        {name: value for name, value in every.items() if value not in ("", None)}, quote_via=quote
    )
    return f"{request.root_path}{quote(path)}{f'?{text}' if text else ''}"


def link_parts(path: str) -> tuple[str, str]:
    """A link to another page, as what stands before and behind the last part of its path, in which many differ."""
    before, mark, query = link(f"{path}/").partition("?")
    return before, mark + query


def is_renewal() -> bool:
    """Whether a page that is open asks only for what is live on it."""
    return "X-Live" in request.headers


def account_name() -> str:
    """The client_id of the account that is meant. Refuses (404) one that there is not."""
    with state_to_show() as state:
        return state.client_id


def offered() -> Catalog:
    """The catalogue of the account that is meant. Refuses (404) one that there is not."""
    account_id = account_meant()
    if not service().accounts.knows(account_id):
        return service().catalog
    return service().served_for(account_id).catalog


def chosen_values(*names: str) -> dict[str, str]:
    """What the query says of these filters; empty ones are left out."""
    return {name: value for name in names if (value := request.args.get(name, "").strip())}


def chosen_names(*names: str) -> dict[str, str]:
    """The same of filters that offer the names which clients gave: to the letter, blanks around them too."""
    return {name: value for name in names if (value := request.args.get(name, ""))}


def chosen_number(name: str) -> int | None:
    """The number from 0 on that the query has under a name; None where it has none that is written in digits."""
    text = request.args.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def slice_of(items: Sequence[T], size: int = PAGE, number: str = "page") -> Slice[T]:
    """The page of a list that the query asks for by this `number`, the last one where there are fewer."""
    asked = chosen_number(number)
    pages = max(1, -(-len(items) // size))
    page = 1 if asked is None else min(max(asked, 1), pages)
    start = (page - 1) * size
    shown = items[start : start + size]
    return Slice(shown, page, pages, len(items), start + 1 if shown else 0, start + len(shown))


def money(cost: int) -> str:
    """Micro-dollars per hour times microseconds, as text with the currency."""
    dollars = billing.dollars(cost)
    return f"{dollars:.{4 if 0 < dollars < 0.1 else 2}f} {CURRENCY}"


def span(time_us: float) -> str:
    """A length of time in at most two units."""
    seconds = round(time_us / SECOND)
    for unit, size, lower, lower_size in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if seconds >= size:
            rest = seconds % size // lower_size
            return f"{seconds // size} {unit}" + (f" {rest} {lower}" if rest else "")
    return f"{seconds} s"


def size_text(size: int) -> str:
    """Bytes in decimal units."""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
