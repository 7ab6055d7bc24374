"""Why a bundle is refused."""

from __future__ import annotations


class BundleError(ValueError):
    """A file that is no bundle, is damaged, or is one that this version cannot replay; the text says which part."""
