"""Why a mail cannot be sent, now or ever."""

from __future__ import annotations


class SmtpUrlError(ValueError):
    """A text that names no SMTP server."""
