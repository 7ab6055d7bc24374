"""`conductor-mock demo`: a whole submission in a few seconds, or a farm to look at.

`quick` runs the documented quick start from a `project` on this machine to its downloaded frames. `farm` serves an
account that has a week of a studio's work behind it: `studio` says what became of each `work`, `artist` submits it as a
client does, and `past` is the clock by which it happened.
"""

from __future__ import annotations


class DemoError(Exception):
    """The demo did not come to its end; the text says why."""
