"""Replaying the interactions against any server: a fake, a proxy, or the service itself.

Every answer is held against the interaction and against ``openapi.yaml``; a status that the contract does
not document is a failure even where an interaction did not ask.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from conductor_contracts.contract import Contract, load
from conductor_contracts.interactions import (
    CONTROL,
    KEYS,
    LENIENCE,
    REQUIREMENTS,
    Interaction,
    load_interactions,
)
from conductor_contracts.player import CLEANUP_S, Player, VerificationError, new_text
from conductor_contracts.problems import no_such
from conductor_contracts.time_limit import OutOfTime, TimeLimit

__all__ = ["OutOfTime", "Outcome", "Report", "VerificationError", "verify"]

TIMEOUT_S = 600.0
"""What a verification may take in all, if nothing else is said."""


@dataclass(frozen=True)
class Outcome:
    """How one interaction went: passed if there are no faults, unless it was skipped for the reason given.

    One that was not begun when the time was up is not ``played``; that is its fault.
    """

    interaction: Interaction
    faults: tuple[str, ...] = ()
    skipped: str = ""
    played: bool = True

    @property
    def passed(self) -> bool:
        """Whether it was run and found right."""
        return not self.faults and not self.skipped


@dataclass(frozen=True)
class Report:
    """All outcomes, in the order in which they were run, and whether the time was up before all of it was done."""

    base_url: str
    outcomes: tuple[Outcome, ...]
    timed_out: bool = False

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those with faults."""
        return tuple(outcome for outcome in self.outcomes if outcome.faults)

    @property
    def ok(self) -> bool:
        """Whether something was run and nothing failed."""
        return not self.failed and any(outcome.passed for outcome in self.outcomes)

    @property
    def summary(self) -> str:
        """One line of counts."""
        passed = sum(outcome.passed for outcome in self.outcomes)
        skipped = sum(bool(outcome.skipped) for outcome in self.outcomes)
        return f"{passed} passed, {len(self.failed)} failed, {skipped} skipped"

    def __str__(self) -> str:
        failed = ["\n    ".join((outcome.interaction.id, *outcome.faults)) for outcome in self.failed]
        return "\n".join([*failed, self.summary])


def verify(
    base_url: str,
    api_key: Mapping[str, str],
    *,
    session: requests.Session | None = None,
    only: Collection[str] | None = None,
    safe_only: bool = False,
    read_only: bool = False,
    interactions: Collection[Interaction] | None = None,
    contract: Contract | None = None,
    unique: Callable[[], str] = new_text,
    own_account: bool = True,
    on_outcome: Callable[[Outcome], None] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Report:
    """Replay interactions against the server at ``base_url`` and report how it answered.

    ``api_key`` holds ``client_id`` and ``private_key``. ``only`` keeps the operations or interaction ids
    that it names; ValueError if it names something unknown. ``safe_only`` skips what may cost money or
    leave something behind; ``read_only`` also what asks for a change that is to be refused, and what is handed
    work. What requires something that the server does not have is skipped. Contents are new each time, so one
    account can be verified again and again; ``unique`` gives the text that makes them new, for whoever wants the same
    requests twice.

    On a fake with a control API it all happens in a new account, which is empty again in the end, also when an
    exception ends it: several verifications at once do not see each other, and the account of the key is as it was.
    ``own_account`` False uses that of the key, which then must not be in use.
    It takes ``timeout_s`` seconds at most, infinitely many for no limit, and CLEANUP_S to put things in order: what is
    under way then fails, and what was not begun is not played, nor told to ``on_outcome``. A ``session`` of the
    caller's is waited for up to a minute where it hangs.
    Raises VerificationError if the key gets no usable token, or the new account cannot be emptied; OutOfTime if the
    time is up before the first interaction.
    """
    chosen = _choose(load_interactions() if interactions is None else interactions, only)
    own = session is None
    limit = TimeLimit(timeout_s)
    session = session or _session(base_url, limit)
    try:
        player = Player(base_url.rstrip("/"), api_key, session, contract or load(), unique, limit)
        safe_only = safe_only or read_only
        safe = [each for each in chosen if each.safe or not safe_only]
        changing = [each for each in safe if not each.safe or each.requires == CONTROL]
        has_control = bool(changing) and not read_only and player.has_control()
        outcomes = []
        with _account(player, own=own_account and has_control) as player:
            reasons = _reasons_to_skip(
                chosen, player, safe_only=safe_only, read_only=read_only, has_control=has_control
            )
            for interaction in chosen:
                if interaction.id in reasons:
                    outcome = Outcome(interaction, skipped=reasons[interaction.id])
                elif limit.is_over:
                    outcomes.append(
                        Outcome(interaction, faults=(f"not played: {limit.reason}",), played=False)
                    )
                    continue
                else:
                    outcome = Outcome(interaction, faults=tuple(player.play(interaction)))
                outcomes.append(outcome)
                if on_outcome:
                    on_outcome(outcome)
    finally:
        if own:
            session.close()
    timed_out = limit.was_met or not all(outcome.played for outcome in outcomes)
    return Report(base_url, tuple(outcomes), timed_out)


def _choose(interactions: Collection[Interaction], only: Collection[str] | None) -> list[Interaction]:
    if only is None:
        return list(interactions)
    if isinstance(only, str):
        raise TypeError(f"only takes a collection of names, got the text {only!r}")
    names = {name for each in interactions for name in (each.operation or "routes", each.id)}
    unknown = sorted(set(only) - names)
    if unknown:
        raise ValueError(no_such("operation or interaction", unknown, names))
    return [each for each in interactions if (each.operation or "routes") in only or each.id in only]


@contextmanager
def _account(player: Player, *, own: bool) -> Iterator[Player]:
    """The player in an account of its own, which is emptied however the block ends; else the player as it is."""
    if not own:
        yield player
        return
    player = player.in_own_account()
    try:
        yield player
    except BaseException:
        player.limit.extend(CLEANUP_S)
        with suppress(VerificationError, OutOfTime):  # what ended it is what is told
            player.empty()
        raise
    player.limit.extend(CLEANUP_S)
    player.empty()


def _reasons_to_skip(
    chosen: Collection[Interaction], player: Player, *, safe_only: bool, read_only: bool, has_control: bool
) -> dict[str, str]:
    """The interactions, by id, that are not run, and why."""
    reasons = {}
    for interaction in chosen:
        needed = interaction.requires
        if safe_only and not interaction.safe:
            reasons[interaction.id] = "it may cost money or leave something behind; --allow-writes plays it"
        elif read_only and not _only_reads(interaction, player.contract):
            reasons[interaction.id] = "it does more than ask questions"
        elif needed and not _has(player, needed, has_control=has_control):
            reasons[interaction.id] = REQUIREMENTS[needed]
    return reasons


def _only_reads(interaction: Interaction, contract: Contract) -> bool:
    """Whether every step asks a question that changes nothing."""
    if interaction.requires == CONTROL:
        return False
    for step in (*interaction.steps, *interaction.cleanup):
        operation = contract.operations.get(step.operation or "")
        method = step.request.method or (operation.method if operation else "GET")
        if method not in ("GET", "HEAD") or (operation is not None and operation.hands_out):
            return False
    return True


def _has(player: Player, requirement: str, *, has_control: bool) -> bool:
    """Whether the server has what an interaction requires."""
    if requirement == KEYS:
        return player.announces("X-Conductor-Mock-Idempotency")
    if requirement == LENIENCE:
        return not player.announces("X-Conductor-Mock-Strict")
    return has_control


def _session(base_url: str, limit: TimeLimit) -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, limit.adapter())
    # A proxy of the environment cannot reach this machine's loopback.
    session.trust_env = urlsplit(base_url).hostname not in ("127.0.0.1", "localhost", "::1")
    return session
