"""How many examples a property test tries: one rule for all of them, whichever target runs it."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FULL = 50
"""What a property tries in a round of `make fuzz` where it says nothing else."""
USUAL = 20
"""What it tries in `make test`: that runs on all changes, and what one run of it misses the many rounds find."""
FAST = 10
"""What it tries in `make test-fast`, and a fifth of the examples of one that says how many and has more than `FULL`."""


def register_profiles() -> None:
    """Register the profile of each target with Hypothesis, and load the one that HYPOTHESIS_PROFILE names."""
    # How long an example takes says more about the machine than about the code.
    untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    # CI tries the same examples every time, so that a change is judged by what it changes; people and `make fuzz` try
    # new ones.
    same = os.environ.get("CI") == "true"
    settings.register_profile("ci", untimed, max_examples=USUAL, derandomize=same)
    settings.register_profile("fast", untimed, max_examples=FAST, derandomize=same)
    settings.register_profile("fuzz", untimed, max_examples=FULL, derandomize=False, print_blob=True)
    settings.load_profile(_profile())


def examples(number: int, full: int | None = None, parent: settings | None = None) -> settings:
    """Settings of a property test whose examples are dear, or so cheap that many are worth their time.

    It tries `number` in `make test`, fewer after a save, and `full` of them in each round of `make fuzz`: as many as
    in `make test` where that is not given. One that takes more than two seconds has a small `number`, and what it
    had before as `full`. Everything else is as in `parent`, or in the profile.
    """
    return settings(parent, max_examples=counted(_profile(), number, full))


def counted(profile: str, number: int, full: int | None = None) -> int:
    """How many examples a test tries in a profile."""
    if profile == "fuzz":
        return max(number, full or 0)
    if profile == "fast":
        return max(number // (FULL // FAST), min(number, FAST))
    return number


def _profile() -> str:
    return os.environ.get("HYPOTHESIS_PROFILE", "ci")
