"""A client library for the Conductor render farm.

The documented names are in ``conductor.lib``; the ones below are the same things, loaded when first used::

    import conductor
    response, status = conductor.Submit({...}).main()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conductor.lib.accounts import Account, Variable, get_account, list_account_environment
    from conductor.lib.actions import Action, act_on_jobs, act_on_tasks
    from conductor.lib.api_client import (
        ApiClient,
        request_instance_types,
        request_jobs,
        request_projects,
        request_software_packages,
    )
    from conductor.lib.cancellation import Cancellation, CancelledError
    from conductor.lib.catalog_export import export_catalog
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
        NotEndedError,
        OutcomeUnknownError,
        RefusedError,
        StopError,
        TryAgainError,
        UnexpectedAnswerError,
        UnreachableError,
    )
    from conductor.lib.file_utils import expand_paths
    from conductor.lib.jobs import Job, get_job, list_jobs
    from conductor.lib.login.browser import Login, login_with_browser
    from conductor.lib.logs import TaskLog, follow_log, get_log
    from conductor.lib.package_environment import PackageEnvironment
    from conductor.lib.package_tree import Package, PackageTree
    from conductor.lib.package_utils import merge_package_environments
    from conductor.lib.polling import Polling
    from conductor.lib.progress import Progress
    from conductor.lib.tasks import Task, get_task, list_tasks
    from conductor.lib.uploader import Uploader
    from conductor.lib.usage import (
        ComputeUsage,
        StorageDay,
        StorageUsage,
        get_compute_usage,
        get_storage_usage,
    )
    from conductor.lib.waiting import wait_for_jobs

    __version__: str

_HOMES = {
    "Account": "accounts",
    "Action": "actions",
    "ApiClient": "api_client",
    "BadArgumentError": "exceptions",
    "BusyError": "exceptions",
    "Cancellation": "cancellation",
    "CancelledError": "cancellation",
    "ComputeUsage": "usage",
    "ConductorError": "exceptions",
    "Config": "config",
    "ConfigError": "exceptions",
    "Downloader": "downloader",
    "EnvironmentMergeError": "exceptions",
    "FileChangedError": "exceptions",
    "FixInputError": "exceptions",
    "InvalidPathError": "exceptions",
    "Job": "jobs",
    "Login": "browser_login",
    "LoginError": "exceptions",
    "NotEndedError": "exceptions",
    "OutcomeUnknownError": "exceptions",
    "Package": "package_tree",
    "PackageEnvironment": "package_environment",
    "PackageTree": "package_tree",
    "Polling": "polling",
    "Progress": "progress",
    "RefusedError": "exceptions",
    "StopError": "exceptions",
    "StorageDay": "usage",
    "StorageUsage": "usage",
    "Submit": "conductor_submit",
    "Task": "tasks",
    "TaskLog": "logs",
    "TryAgainError": "exceptions",
    "UnexpectedAnswerError": "exceptions",
    "UnreachableError": "exceptions",
    "Uploader": "uploader",
    "Variable": "accounts",
    "act_on_jobs": "actions",
    "act_on_tasks": "actions",
    "expand_paths": "file_utils",
    "export_catalog": "catalog_export",
    "follow_log": "logs",
    "get_account": "accounts",
    "get_compute_usage": "usage",
    "get_job": "jobs",
    "get_log": "logs",
    "get_storage_usage": "usage",
    "get_task": "tasks",
    "list_account_environment": "accounts",
    "list_jobs": "jobs",
    "list_tasks": "tasks",
    "login_with_browser": "browser_login",
    "merge_package_environments": "package_utils",
    "request_instance_types": "api_client",
    "request_jobs": "api_client",
    "request_projects": "api_client",
    "request_software_packages": "api_client",
    "set_logging": "conductor_submit",
    "wait_for_jobs": "waiting",
}

__all__ = [
    "Account",
    "Action",
    "ApiClient",
    "BadArgumentError",
    "BusyError",
    "Cancellation",
    "CancelledError",
    "ComputeUsage",
    "ConductorError",
    "Config",
    "ConfigError",
    "Downloader",
    "EnvironmentMergeError",
    "FileChangedError",
    "FixInputError",
    "InvalidPathError",
    "Job",
    "Login",
    "LoginError",
    "NotEndedError",
    "OutcomeUnknownError",
    "Package",
    "PackageEnvironment",
    "PackageTree",
    "Polling",
    "Progress",
    "RefusedError",
    "StopError",
    "StorageDay",
    "StorageUsage",
    "Submit",
    "Task",
    "TaskLog",
    "TryAgainError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "Uploader",
    "Variable",
    "__version__",
    "act_on_jobs",
    "act_on_tasks",
    "expand_paths",
    "export_catalog",
    "follow_log",
    "get_account",
    "get_compute_usage",
    "get_job",
    "get_log",
    "get_storage_usage",
    "get_task",
    "list_account_environment",
    "list_jobs",
    "list_tasks",
    "login_with_browser",
    "merge_package_environments",
    "request_instance_types",
    "request_jobs",
    "request_projects",
    "request_software_packages",
    "set_logging",
    "wait_for_jobs",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from conductor.version import VERSION

        return VERSION
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"conductor.lib.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'conductor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
