"""The version of this library, and of both distributions: their builds read it here."""

from __future__ import annotations

VERSION = "0.2.0"
