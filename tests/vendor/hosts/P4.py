"""A stand-in for Perforce, which the plug-in imports and which nothing here uses."""


class P4:
    """A connection that is never opened."""


class P4Exception(Exception):
    """What Perforce raises."""
