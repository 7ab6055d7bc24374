"""Sending the requests of an interaction and holding the answers against it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from conductor_contracts.contract import Contract
from conductor_contracts.interactions import CONTROL, Interaction, Request, Step
from conductor_contracts.matching import MatcherError, differences
from conductor_contracts.operation import JSON, Operation
from conductor_contracts.problems import MAX_PROBLEMS, Problem, clip
from conductor_contracts.templates import TemplateError, fill
from conductor_contracts.time_limit import OutOfTime, TimeLimit

TIMEOUT_S = 60.0
"""For one wait for an answer, or for more of it."""
CLEANUP_S = 10.0
"""What putting things in order may take when the time is up."""
CHUNK_BYTES = 64 * 1024


class VerificationError(Exception):
    """The verification itself could not go on: no token, or an answer that cannot be used."""


def new_text() -> str:
    """A text that was not used before."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Player:
    """Plays interactions in one account of one server; ``unique`` gives what is new in each of them.

    What asks the server raises OutOfTime when the ``limit`` is over, but for `play`.
    """

    base_url: str
    api_key: Mapping[str, str]
    session: requests.Session
    contract: Contract
    unique: Callable[[], str] = new_text
    limit: TimeLimit = field(default_factory=lambda: TimeLimit(math.inf))
    _tokens: dict[str, str] = field(default_factory=dict)
    _announced: dict[str, str] = field(default_factory=dict)

    def play(self, interaction: Interaction) -> list[str]:
        """Run the steps until one goes wrong, then the cleanup, and say what did; an empty list means nothing.

        Raises VerificationError and OutOfTime where it has no token yet and gets none.
        """
        values = self._values()
        values.update(_file_values(interaction, values))
        faults = self._run(interaction.steps, "step", values)
        if self.limit.is_over:
            self.limit.extend(CLEANUP_S)
        return faults + self._run(interaction.cleanup, "cleanup step", values)

    def has_control(self) -> bool:
        """Whether the server is a fake whose control API answers to this account. Raises VerificationError."""
        try:
            answer = self._control("GET", "health")
        except requests.RequestException:
            return False
        body = _json(answer)
        return answer.status_code == 200 and isinstance(body, dict) and body.get("status") == "ok"

    def announces(self, header: str) -> bool:
        """Whether the answer of the token call had a header. Raises VerificationError."""
        self._token()
        return header.lower() in self._announced

    def in_own_account(self) -> Player:
        """The same in an account that nobody else uses, whatever its server's options are; see `empty`.

        Its clock stands still, and files as short as those of the interactions are sent in one piece. For a server with
        a control API. Raises VerificationError.
        """
        key = {"client_id": f"verification {new_text()}", "private_key": new_text()}
        own = replace(self, api_key=key, _tokens={}, _announced={})
        own.change("clock", {"speed": 0})
        own.change("options", {"part_size": 1 << 30})
        return own

    def empty(self) -> None:
        """Leave nothing in the account. Raises VerificationError."""
        self.change("reset", {})

    def change(self, path: str, body: Any) -> None:
        """Make a call of the control API. Raises VerificationError."""
        try:
            answer = self._control("POST", path, json=body)
        except OutOfTime as error:
            raise OutOfTime(f"POST /_mock/{path} was not answered: {error}") from None
        except requests.RequestException as error:
            raise VerificationError(f"POST /_mock/{path} was not answered ({type(error).__name__})") from None
        if answer.status_code not in (200, 204):
            message = _message(_json(answer), answer)
            raise VerificationError(f"POST /_mock/{path} was answered {answer.status_code}{message}")

    def _control(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token()}"}
        url = f"{self.base_url}/_mock/{path}"
        return self._request(method, url, headers=headers, **options)

    def _request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Ask within the limit. A redirect is an answer, and one that no client can follow with a body (trap 26)."""
        with self.limit.request(TIMEOUT_S) as timeout_s:
            return self.session.request(method, url, timeout=timeout_s, allow_redirects=False, **options)

    def _run(self, steps: tuple[Step, ...], kind: str, values: dict[str, Any]) -> list[str]:
        for number, step in enumerate(steps, start=1):
            place = f"{kind} {number}, {step.operation or 'no operation'}"
            try:
                answer = self._send(step, values)
                found = _found(step, answer, values)
                faults = self._first_faults(step, answer, {**values, **found})
                if answer.status_code == step.ends_on or faults:
                    return [f"{place}: {fault}" for fault in faults]
                for where in (
                    fill(where, values) for name, where in step.capture.items() if name not in found
                ):
                    _captured(answer, where)  # raises: this one is not there
                values.update(found)
            except (MatcherError, TemplateError, VerificationError, OutOfTime) as error:
                return [f"{place}: {error}"]
            except (requests.RequestException, UnicodeError) as error:
                # Its text may hold the URL, and with it a signature or a secret. UnicodeError: a header or a host
                # made of what was captured cannot be sent.
                return [f"{place}: no answer ({type(error).__name__})"]
        return []

    def _values(self) -> dict[str, Any]:
        token = self._token()
        return {
            "unique": self.unique(),
            "account": _claims(token).get("account"),
            "host": urlsplit(self.base_url).netloc,
            "base_url": self.base_url,
            "client_id": self.api_key["client_id"],
            "private_key": self.api_key["private_key"],
        }

    def _token(self) -> str:
        """A valid token, asked for once."""
        if "valid" not in self._tokens:
            query = {
                "grant_type": "client_credentials",
                "scope": "owner admin user",
                "client_id": self.api_key["client_id"],
                "client_secret": self.api_key["private_key"],
            }
            try:
                url = f"{self.base_url}/api/oauth_jwt"
                answer = self._request("GET", url, params=query)
                token = answer.json()["access_token"] if answer.status_code == 200 else None
            except (requests.RequestException, ValueError, KeyError, TypeError, RecursionError) as error:
                raise VerificationError(
                    f"the token endpoint of {self.base_url} gave no token ({type(error).__name__})"
                ) from None
            if not isinstance(token, str):
                raise VerificationError(
                    f"the token endpoint answered {answer.status_code}, wanted 200 and a token"
                )
            _claims(token)
            self._tokens["valid"] = token
            self._announced.update((name.lower(), value) for name, value in answer.headers.items())
        return self._tokens["valid"]

    def _send(self, step: Step, values: Mapping[str, Any]) -> requests.Response:
        request = step.request
        operation = self._operation(step)
        path = request.path or (operation.path if operation else "/")
        data = _payload(request, values)
        headers = {"Accept": "application/json", **self._authorization(step, operation)}
        if data is not None:
            headers["Content-Type"] = _kind(request)
        return self._request(
            request.method or (operation.method if operation else "GET"),
            fill(request.url, values) if request.url else self.base_url + fill(path, values),
            params=fill(dict(request.query), values),
            headers={**headers, **fill(dict(request.headers), values)},
            data=_chunks(data) if request.chunked and data is not None else data,
        )

    def _operation(self, step: Step) -> Operation | None:
        named = step.operation not in (None, CONTROL)
        return self.contract.operations[str(step.operation)] if named else None

    def _problems(self, step: Step, answer: requests.Response, body: Any) -> list[Problem]:
        """Where an answer departs from the contract; nothing is promised of the control API, nor of HEAD's body."""
        if step.operation == CONTROL or step.request.method == "HEAD":
            return []
        operation = self._operation(step)
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if operation is None:
            return self.contract.check_error(body, media_type)
        return operation.check_response(answer.status_code, body, media_type)

    def _authorization(self, step: Step, operation: Operation | None) -> dict[str, str]:
        kind = step.request.token
        if kind == "none" or (kind is None and operation is not None and operation.authentication == "never"):
            return {}
        if kind == "malformed":
            return {"Authorization": "Bearer not-a-token"}
        token = self._token()
        if kind == "forged":
            head, claims, _ = token.split(".")
            token = f"{head}.{claims}.{base64.urlsafe_b64encode(bytes(32)).decode().rstrip('=')}"
        return {"Authorization": f"Bearer {token}"}

    def _first_faults(self, step: Step, answer: requests.Response, values: Mapping[str, Any]) -> list[str]:
        """At most MAX_PROBLEMS faults. Raises TemplateError or MatcherError where nothing else is wrong."""
        faults: list[str] = []
        try:
            faults.extend(islice(self._faults(step, answer, values), MAX_PROBLEMS))
        except (TemplateError, MatcherError):
            # What was to be captured is missing or odd; whoever found the faults has said so.
            if not faults:
                raise
        return faults

    def _faults(self, step: Step, answer: requests.Response, values: Mapping[str, Any]) -> Iterator[str]:
        expect = step.expect
        body = _json(answer)
        if answer.status_code not in expect.status:
            wanted = " or ".join(map(str, expect.status))
            yield f"status: expected {wanted}, got {answer.status_code}{_message(body, answer)}"
            return
        for problem in self._problems(step, answer, body):
            yield f"contract: body {problem}"
        if expect.md5 is not None and fill(expect.md5, values) != _md5(answer.content):
            yield f"body: expected md5 {fill(expect.md5, values)}, got {_md5(answer.content)}"
        if expect.empty and answer.content:
            yield f"body: expected none, got {len(answer.content)} bytes"
        if expect.body is not None:
            for problem in differences(fill(expect.body, values), body):
                yield f"body {problem}"
        for name, wanted in fill(dict(expect.headers), values).items():
            for problem in differences(wanted, answer.headers.get(name)):
                yield f"header {name}: {problem.message}"
        if expect.claims is not None:
            token = body.get("access_token") if isinstance(body, dict) else None
            claims = _claims(token) if isinstance(token, str) else None
            for problem in differences(fill(expect.claims, values), claims):
                yield f"claims {problem}"


def _file_values(interaction: Interaction, known: Mapping[str, Any]) -> dict[str, Any]:
    """Names for each file of an interaction: NAME.content, NAME.md5 (base64), NAME.hex and NAME.size."""
    values: dict[str, Any] = {}
    for name, text in interaction.files.items():
        content = str(fill(text, known)).encode()
        digest = hashlib.md5(content, usedforsecurity=False).digest()
        values[f"{name}.content"] = content
        values[f"{name}.md5"] = base64.b64encode(digest).decode()
        values[f"{name}.hex"] = digest.hex()
        values[f"{name}.size"] = len(content)
    return values


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _kind(request: Request) -> str:
    if request.form is not None:
        return "application/x-www-form-urlencoded"
    return JSON if request.content is None else "application/octet-stream"


def _payload(request: Request, values: Mapping[str, Any]) -> bytes | None:
    if request.content is not None:
        return bytes(fill(f"${{{request.content}.content}}", values))
    if request.form is not None:
        return urlencode(fill(dict(request.form), values)).encode()
    if request.text is not None:
        return str(fill(request.text, values)).encode()
    if request.hex is not None:
        return bytes.fromhex(request.hex)
    if request.repeat is not None:
        return str(request.repeat["text"]).encode() * int(request.repeat["times"])
    if request.body is not None:
        return json.dumps(fill(request.body, values)).encode()
    return None


def _chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def _json(answer: requests.Response) -> Any:
    """The decoded body; None without one; the text where it is no JSON, which no schema takes."""
    if not answer.content:
        return None
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return clip(answer.text[:200])


def _message(body: Any, answer: requests.Response) -> str:
    text = body.get("message") if isinstance(body, dict) else body
    return f" ({clip(text)})" if isinstance(text, str) else ""


def _found(step: Step, answer: requests.Response, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a step captures, as far as the answer has it: its own expectations may name it."""
    found = {}
    for name, where in step.capture.items():
        with suppress(TemplateError):
            found[name] = _captured(answer, fill(where, values))
    return found


def _captured(answer: requests.Response, where: str) -> Any:
    """What a capture names: ``header NAME``, or a JSON pointer into the body."""
    if not where.startswith("header "):
        return _reach(_json(answer), where)
    value = answer.headers.get(where.removeprefix("header "))
    if value is None:
        raise TemplateError(f"the answer has no {where}")
    return value


def _reach(body: Any, where: str) -> Any:
    for step in where.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        try:
            body = body[int(name)] if isinstance(body, list) else body[name]
        except (KeyError, IndexError, TypeError, ValueError):
            raise TemplateError(f"the answer has nothing at {where}") from None
    return body


def _claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified, as clients read them."""
    try:
        token.encode("ascii")  # what a header can carry
        _, middle, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, RecursionError):
        raise VerificationError("the token is not a JWT that clients can read") from None
    if not isinstance(claims, dict):
        raise VerificationError("the claims of the token are not a JSON object")
    return claims
