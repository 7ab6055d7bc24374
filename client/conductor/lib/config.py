"""Settings, and the one order in which they win: defaults < config file < environment < arguments.

The file is ``config.yml`` in ``~/.conductor`` (or in ``CONDUCTOR_USER_DIR``), or the first readable one of
``CONDUCTOR_CONFIG``, a list split on the path separator. Every setting has a variable, its name in capitals
after ``CONDUCTOR_``. Names are those of wire reference 1.8, and any argument of a submission. Unlike the
vendor's 2019 client the environment beats the file, as everywhere else.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from conductor.lib.exceptions import ConfigError, Problem
from conductor.lib.files.local_paths import home as user_home
from conductor.lib.files.local_paths import home_expanded
from conductor.lib.files.text_file import NotTextError, read_text
from conductor.lib.files.yaml_file import NotYamlError, parse_yaml
from conductor.lib.submission.arguments import BY_NAME, CHOICES, Sourced, closest
from conductor.lib.values.kinds import Kind, PathText, Spot, Whole, choice
from conductor.lib.wire.redaction import without_user

logger = logging.getLogger(__name__)

DEFAULT_URL = "https://dashboard.conductortech.com"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Url(Kind):
    """The root of an origin; a path would be lost when it is joined with the service's (wire reference 0.3)."""

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return "http:// or https://, a host and perhaps a port, without user, path or query"

    def check(self, value: Any, spot: Spot) -> str | None:
        """Return the URL without a slash at its end."""
        if isinstance(value, str) and self._fits(value):
            return str(value).rstrip("/")
        spot.problems.append(
            Problem(spot.argument, repr(without_user(str(value))), self.accepts, spot.origin(value))
        )
        return None

    def _fits(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            return False
        if parts.netloc.endswith(":"):  # a port that a variable was to give
            return False
        plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
        return parts.scheme in ("http", "https") and bool(parts.hostname) and plain and url.isascii()


class Secret(Kind):
    """An API key, whose form ``credentials`` checks. Never shown."""

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return "an API key: JSON with client_id and private_key, or base64 of that"

    def check(self, value: Any, spot: Spot) -> str | None:
        """Return the key as text."""
        if isinstance(value, str):
            return str(value)
        if isinstance(value, Mapping):
            import json

            return json.dumps(dict(value), default=str)
        spot.problems.append(Problem(spot.argument, "something else", self.accepts, spot.source))
        return None


class Setting(NamedTuple):
    """One setting that is no argument of a submission."""

    name: str
    kind: Kind
    doc: str
    default: Any = None


def _threads() -> int:
    return min(2 * (os.cpu_count() or 1), 16)


SETTINGS = (
    Setting("url", Url(), "The dashboard's address, where the protocol is spoken.", DEFAULT_URL),
    Setting("api_url", Url(), "Where account look-ups go; `url` with `dashboard` replaced by `api`."),
    Setting("auth_url", Url(), "Kept for the vendor's clients; tokens come from `url`."),
    Setting("api_key", Secret(), "The API key itself."),
    Setting("api_key_path", PathText(), "A file that holds the API key."),
    Setting(
        "auth_port", Whole(0, 65535), "The port that a browser login comes back to; 0 for a free one.", 8085
    ),
    Setting("thread_count", Whole(1, 256), "Threads for hashing and uploading; min(2 x cpus, 16)."),
    Setting("log_level", choice(*LOG_LEVELS), "How much is logged by the command line.", "INFO"),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}

# Known to the vendor's clients, without a meaning here: no reason for a warning.
FOREIGN = frozenset(
    {
        *("account", "base_url", "config", "downloader_page_size"),
        *("error_reporting", "log_dir", "output_dir", "projects", "user_dir"),
    }
)
LONGEST_NAME = 60
"""Characters of a variable that may be a setting misspelt."""
NEAR = 0.9
"""How alike two variables are that differ by a slip or two; all of them begin alike."""

# What a layer says about the first of each sets aside what lower layers say about the rest.
_REPLACES = (
    ("url", ("api_url", "auth_url")),
    ("api_key", ("api_key_path",)),
    ("api_key_path", ("api_key",)),
)


@dataclass(frozen=True)
class Config:
    """The settings in force. ``config["url"]`` is a value, ``config.source("url")`` says whose it is."""

    _values: Mapping[str, Sourced] = field(repr=False)

    @classmethod
    def load(
        cls,
        *,
        environ: Mapping[str, str] | None = None,
        home: Path | None = None,
        **arguments: Any,
    ) -> Config:
        """Read file and environment, put ``arguments`` (settings by name, None for not given) on top.

        ``environ`` and ``home`` are those of this process unless given. Raises ConfigError listing everything
        that is wrong, each with where it came from.
        """
        environ = os.environ if environ is None else environ
        problems: list[Problem] = []
        layers = (
            _from_file(environ, user_home() if home is None else home),
            _from_environment(environ, problems),
            _from_arguments(arguments),
        )
        values = {setting.name: Sourced(setting.default, "default") for setting in SETTINGS}
        for layer in layers:
            _lay_over(values, layer)
        values = {name: _checked(name, sourced, problems) for name, sourced in values.items()}
        if problems:
            lines = [str(problem) for problem in problems]
            if len(lines) == 1:
                raise ConfigError(f"wrong setting {lines[0]}")
            raise ConfigError("\n  ".join([f"{len(lines)} settings are wrong:", *lines]))
        return cls(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name].value

    def source(self, name: str) -> str:
        """Return where the value of a setting came from: ``default``, a file, a variable or ``argument``."""
        return self._values[name].source

    @property
    def url(self) -> str:
        """The origin that the protocol is spoken with."""
        return str(self["url"])

    @property
    def api_url(self) -> str:
        """The origin for account look-ups, which the token's audience is compared with (wire reference 0.2)."""
        return str(self["api_url"] or self.url.replace("dashboard", "api"))

    @property
    def thread_count(self) -> int:
        """How many threads hash and upload at most."""
        return int(self["thread_count"] or _threads())

    def argument(self, name: str) -> Any:
        """Return what file and environment say of an argument of a submission, checked, None if they say nothing.

        Raises ConfigError for what the argument does not take.
        """
        sourced, problems = self._values.get(name), list[Problem]()
        if sourced is None:
            return None
        value = BY_NAME[name].kind.check(sourced.value, Spot(name, problems, sourced.source))
        if problems:
            raise ConfigError(f"wrong setting {problems[0]}")
        return value

    def submission(self) -> dict[str, Sourced]:
        """Return the arguments of a submission that file or environment set, by documented name, unchecked."""
        return {name: sourced for name, sourced in self._values.items() if name in BY_NAME}


def _lay_over(values: dict[str, Sourced], layer: Mapping[str, Sourced]) -> None:
    for name, replaced in _REPLACES:
        if name in layer:
            for other in replaced:
                values[other] = Sourced(None, "default")
    for group in CHOICES:
        if any(name in layer for name in group):
            for name in group:
                values.pop(name, None)
    values.update(layer)


def _checked(name: str, sourced: Sourced, problems: list[Problem]) -> Sourced:
    setting = _BY_NAME.get(name)
    if setting is None or sourced.value is None:
        return sourced  # arguments of a submission are checked together with those of the call
    return Sourced(setting.kind.check(sourced.value, Spot(name, problems, sourced.source)), sourced.source)


def _known() -> Iterator[tuple[str, str, Kind]]:
    """Yield every name that file and environment may use, the name it stands for, and its kind."""
    for setting in SETTINGS:
        yield setting.name, setting.name, setting.kind
    for name, argument in BY_NAME.items():
        yield name, argument.name, argument.kind


def _from_environment(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, Sourced]:
    layer: dict[str, Sourced] = {}
    _warn_of_near_names(environ)
    for name, canonical, kind in _known():
        variable = f"CONDUCTOR_{name.upper()}"
        text = environ.get(variable, "")
        if not text or canonical in layer:
            continue
        try:
            layer[canonical] = Sourced(kind.from_text(text), variable)
        except ValueError as error:
            problems.append(Problem(canonical, f"text that is {error}", kind.accepts, variable))
    return layer


def _warn_of_near_names(environ: Mapping[str, str]) -> None:
    """Warn of variables that were probably meant for a setting. Those of other programs begin alike, and are theirs."""
    known = {f"CONDUCTOR_{name.upper()}" for name, _, _ in _known()}
    known |= {f"CONDUCTOR_{name.upper()}" for name in FOREIGN}
    for variable in environ:
        if variable.startswith("CONDUCTOR_") and variable not in known and len(variable) <= LONGEST_NAME:
            import difflib  # only needed to explain a mistake

            near = difflib.get_close_matches(variable, known, n=1, cutoff=NEAR)
            if near:
                logger.warning("%s is no setting and is ignored; did you mean %s?", variable, near[0])


def _from_arguments(arguments: Mapping[str, Any]) -> dict[str, Sourced]:
    unknown = [name for name in arguments if name not in _BY_NAME]
    if unknown:
        raise ConfigError(f"no such setting: {unknown[0]}; {closest(unknown[0], _BY_NAME)}")
    return {name: Sourced(value, "argument") for name, value in arguments.items() if value is not None}


def _from_file(environ: Mapping[str, str], home: Path) -> dict[str, Sourced]:
    path = _file(environ, home)
    if path is None:
        return {}
    content = _parsed(path)
    names = {name: canonical for name, canonical, _ in _known()}
    layer: dict[str, Sourced] = {}
    for name, value in content.items():
        if name in names and value is not None:
            layer[names[name]] = Sourced(value, str(path))
        elif name not in names and name not in FOREIGN:
            logger.warning("%s: unknown setting %r is ignored; %s", path, name, closest(name, names))
    return layer


def _file(environ: Mapping[str, str], home: Path) -> Path | None:
    """Return the config file to read, None if there is none. Raises ConfigError if one was named but is not there."""
    named = environ.get("CONDUCTOR_CONFIG", "")
    if named:
        for candidate in named.split(os.pathsep):
            path = home_expanded(candidate)
            if os.path.isfile(path) and os.access(path, os.R_OK):  # noqa: PTH113 - no error for what no disk holds
                return Path(path)
        raise ConfigError(f"CONDUCTOR_CONFIG names no file that can be read: {named!r}")
    folder = environ.get("CONDUCTOR_USER_DIR", "")
    default = (Path(home_expanded(folder)) if folder else home / ".conductor") / "config.yml"
    return default if os.path.isfile(default) else None  # noqa: PTH113 - as above


def _parsed(path: Path) -> dict[Any, Any]:
    try:
        content = parse_yaml(read_text(path), str(path))
    except ModuleNotFoundError:
        raise ConfigError(
            f"{path} cannot be read without PyYAML: pip install 'conductor-mock-client[cli]'"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except NotTextError as error:
        raise ConfigError(f"{path} {error}") from None
    except NotYamlError as error:
        # Where, but not what: the text of the error quotes the file, which may hold a key.
        where = f" (line {error.line})" if error.line else ""
        raise ConfigError(f"{path} is not YAML{where}{'' if error.quotes else f': {error.reason}'}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold settings as name: value, one on each line")
    return content
