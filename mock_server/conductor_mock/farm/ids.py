"""Identifiers and random draws: functions of account, sequence and content, never of chance or order.

Forms are those of wire reference 0.6: job ids padded to five digits, task ids to three, account ids long decimals.
"""

from __future__ import annotations

import hashlib

JOB, UPLOAD, FIRST_TASK = 0, 1, 2
"""Slots of `record_id`."""
_SPREAD = 0x9E3779B97F4A7


def account_id(client_id: str) -> str:
    """The account of an API key: a sixteen-digit decimal text that begins with 5, a function of `client_id` alone."""
    digest = hashlib.sha256(b"account\0" + client_id.encode()).digest()
    return f"5{int.from_bytes(digest[:8], 'big') % 10**15:015d}"


def jid(number: int) -> str:
    """The wire form of the account's `number`-th job, counted from 1: `00001`."""
    return f"{number:05d}"


def tid(index: int) -> str:
    """The wire form of a job's `index`-th task, counted from 0: `000`."""
    return f"{index:03d}"


def record_id(number: int, slot: int) -> int:
    """The big number that the service keeps a record of a job under: 16 digits, another for each record of an account.

    `slot` counts the records of the `number`-th job: `JOB`, `UPLOAD`, then its tasks from `FIRST_TASK`. Below 2**53, so
    that JavaScript reads it whole. A product with an odd number modulo a power of two gives no two records the same.
    """
    return 1 << 52 | ((number << 26 | slot) * _SPREAD & (1 << 52) - 1)


def draw(seed: int, *purpose: object) -> int:
    """A 64-bit integer that depends on `seed` and the named purpose only (job, task, attempt, what for)."""
    text = "\x1f".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
