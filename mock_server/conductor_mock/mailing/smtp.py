"""One mail to an SMTP server, and what its answer means for the next try."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from conductor_mock.mailing.errors import SmtpUrlError

TIMEOUT_S = 10
SENDER = "conductor-mock@localhost"


class LaterError(Exception):
    """The mail was not taken now; `down` when the server could not even be talked to."""

    def __init__(self, reason: str, *, down: bool = False) -> None:
        super().__init__(reason)
        self.down = down


class NeverError(Exception):
    """The mail cannot be delivered, now or later."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mails go. TLS from the start with `tls`; a server that offers STARTTLS gets it before a password."""

    host: str
    port: int
    user: str | None = None
    password: str = field(default="", repr=False)
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> SmtpServer:
        """The server of `smtp://[user:password@]host[:port]` or `smtps://...`. Raises SmtpUrlError."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SmtpUrlError(f"is not a URL: {error}") from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path not in ("", "/"):
            raise SmtpUrlError("must be smtp://[user:password@]host[:port], or smtps:// for TLS")
        tls = parts.scheme == "smtps"
        user = None if parts.username is None else unquote(parts.username)
        return cls(parts.hostname, port or (465 if tls else 25), user, unquote(parts.password or ""), tls)

    def send(self, message: EmailMessage, to: Sequence[str]) -> str:
        """Hand a mail over. Answers whom of several the server refused, and why. Raises LaterError, NeverError."""
        try:
            refused = self._send(message, to)
        except smtplib.SMTPRecipientsRefused as error:
            raise _verdict(
                max(code for code, _ in error.recipients.values()), _names(error.recipients)
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise LaterError(f"the password was refused: {_text(error.smtp_error)}", down=True) from None
        except (smtplib.SMTPConnectError, smtplib.SMTPHeloError, smtplib.SMTPServerDisconnected) as error:
            raise LaterError(_text(error), down=True) from None
        except smtplib.SMTPResponseException as error:
            raise _verdict(error.smtp_code, f"{error.smtp_code} {_text(error.smtp_error)}") from None
        except ssl.SSLError as error:  # a certificate can be put right; some of these are ValueErrors too
            raise LaterError(f"{self.host}:{self.port}: {_text(error)}", down=True) from None
        except (smtplib.SMTPException, ValueError) as error:
            # Such as an address that the server cannot spell.
            raise NeverError(_text(error)) from None
        except OSError as error:
            raise LaterError(f"{self.host}:{self.port}: {error.strerror or error}", down=True) from None
        return _names(refused)

    def _send(self, message: EmailMessage, to: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        with self._connection() as connection:
            connection.ehlo_or_helo_if_needed()
            if self.user is not None:
                if not self.tls and connection.has_extn("starttls"):
                    connection.starttls(context=ssl.create_default_context())
                connection.login(self.user, self.password)
            return connection.send_message(message, SENDER, list(to))

    def _connection(self) -> smtplib.SMTP:
        if self.tls:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)


def compose(subject: str, text: str, to: Sequence[str]) -> EmailMessage:
    """A mail to some addresses, each of which `is_address`."""
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = [Address(addr_spec=address) for address in to]
    message["Subject"] = " ".join(subject.split())  # a title may hold line breaks, a header may not
    message.set_content(text)
    return message


def is_address(text: str) -> bool:
    """Whether a mail can be addressed so: a job's `notify` holds whatever its submitter wrote."""
    try:
        Address(addr_spec=text)
    except (ValueError, LookupError, MessageError):  # the library's parser has no error of its own
        return False
    return True


def _verdict(code: int, reason: str) -> LaterError | NeverError:
    """4xx is said to pass, 5xx is not."""
    return NeverError(reason) if code >= 500 else LaterError(reason)


def _names(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{name}: {code} {_text(reason)}" for name, (code, reason) in sorted(refused.items()))


def _text(reason: object) -> str:
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return " ".join(text.split())[:500]
