"""A client library for the Conductor render farm.

The documented names are in ``conductor.lib``; the ones below are the same things, loaded when first used::

    import conductor
    response, status = conductor.Submit({...}).main()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conductor.lib.api_client import (
        ApiClient,
        request_instance_types,
        request_jobs,
        request_projects,
        request_software_packages,
    )
    from conductor.lib.conductor_submit import Submit, set_logging
    from conductor.lib.config import Config
    from conductor.lib.downloader import Downloader
    from conductor.lib.exceptions import (
        BadArgumentError,
        BusyError,
        ConductorError,
        ConfigError,
        EnvironmentMergeError,
        FileChangedError,
        FixInputError,
        InvalidPathError,
        LoginError,
        OutcomeUnknownError,
        RefusedError,
        StopError,
        TryAgainError,
        UnexpectedAnswerError,
        UnreachableError,
    )
    from conductor.lib.file_utils import expand_paths
    from conductor.lib.package_utils import merge_package_environments
    from conductor.lib.uploader import Uploader

    __version__: str

_HOMES = {
    "ApiClient": "api_client",
    "BadArgumentError": "exceptions",
    "BusyError": "exceptions",
    "ConductorError": "exceptions",
    "Config": "config",
    "ConfigError": "exceptions",
    "Downloader": "downloader",
    "EnvironmentMergeError": "exceptions",
    "FileChangedError": "exceptions",
    "FixInputError": "exceptions",
    "InvalidPathError": "exceptions",
    "LoginError": "exceptions",
    "OutcomeUnknownError": "exceptions",
    "RefusedError": "exceptions",
    "StopError": "exceptions",
    "Submit": "conductor_submit",
    "TryAgainError": "exceptions",
    "UnexpectedAnswerError": "exceptions",
    "UnreachableError": "exceptions",
    "Uploader": "uploader",
    "expand_paths": "file_utils",
    "merge_package_environments": "package_utils",
    "request_instance_types": "api_client",
    "request_jobs": "api_client",
    "request_projects": "api_client",
    "request_software_packages": "api_client",
    "set_logging": "conductor_submit",
}

__all__ = [
    "ApiClient",
    "BadArgumentError",
    "BusyError",
    "ConductorError",
    "Config",
    "ConfigError",
    "Downloader",
    "EnvironmentMergeError",
    "FileChangedError",
    "FixInputError",
    "InvalidPathError",
    "LoginError",
    "OutcomeUnknownError",
    "RefusedError",
    "StopError",
    "Submit",
    "TryAgainError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "Uploader",
    "__version__",
    "expand_paths",
    "merge_package_environments",
    "request_instance_types",
    "request_jobs",
    "request_projects",
    "request_software_packages",
    "set_logging",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from conductor.version import version

        return version()
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"conductor.lib.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'conductor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
