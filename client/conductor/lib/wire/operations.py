"""The operations that this client calls, by the names that errors, logs and the contract use.

Facts are from wire reference 1 and 2; ``repeatable`` is our own rule: whether sending the request again can change
nothing that the first one did not. ``calls`` has a method for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from conductor.lib.wire.limits import LISTING_BYTES, SMALL_ANSWER_BYTES

MINUTE = 60.0


class Origin(Enum):
    """Where an operation's requests go."""

    DASHBOARD = "the setting url"
    API = "the setting api_url"
    SIGNED = "the URL that an earlier answer gave"


@dataclass(frozen=True)
class Operation:
    """One operation of the protocol.

    ``path`` is the contract's, with names in braces for what a request fills in; empty where the service hands out the
    whole URL. ``bearer``: the token goes along. ``ok`` are the statuses that count as done; ``any_success`` widens them
    to everything below 300. ``read_timeout`` is in seconds, from the last byte sent to the first one received, and
    between bytes received. ``answer_bytes`` is how much of a success is read; it does not hold for files.
    """

    id: str
    method: str
    path: str = ""
    origin: Origin = Origin.DASHBOARD
    bearer: bool = True
    ok: tuple[int, ...] = (200,)
    any_success: bool = False
    repeatable: bool = True
    changes_state: bool = False
    read_timeout: float = MINUTE
    answer_bytes: int = SMALL_ANSWER_BYTES

    def accepts(self, status: int) -> bool:
        """Say whether the status means that the call was done."""
        return status in self.ok or (self.any_success and 200 <= status < 300)


AUTH_TOKEN = Operation("auth.token", "GET", "/api/oauth_jwt", bearer=False)
ACCOUNTS_GET = Operation("accounts.get", "GET", "/api/v1/accounts/{account_id}", Origin.API)
PACKAGES_LIST = Operation("packages.list", "GET", "/api/v1/ee/packages", answer_bytes=LISTING_BYTES)
PROJECTS_LIST = Operation("projects.list", "GET", "/api/v1/projects/", answer_bytes=LISTING_BYTES)
INSTANCE_TYPES_LIST = Operation(
    "instance_types.list", "GET", "/api/v1/instance-types", answer_bytes=LISTING_BYTES
)
ENV_VARS_LIST = Operation(
    "env_vars.list", "GET", "/api/v1/integrations/env-vars-configs", answer_bytes=LISTING_BYTES
)
JOBS_LIST = Operation("jobs.list", "GET", "/api/v1/jobs", answer_bytes=LISTING_BYTES)
JOBS_CREATE = Operation(
    "jobs.create",
    "POST",
    "/jobs/",
    ok=(201, 204),
    repeatable=False,
    changes_state=True,
    read_timeout=5 * MINUTE,
)
# What was done may have changed the state in which doing it again is refused, so a repeat could report a failure of
# what has happened.
JOBS_ACT = Operation("jobs.act", "PUT", "/jobs_multi", repeatable=False, changes_state=True)
TASKS_ACT = Operation("tasks.act", "PUT", "/tasks_multi", repeatable=False, changes_state=True)
TASKS_LIST = Operation("tasks.list", "GET", "/api/v1/tasks", Origin.API, answer_bytes=LISTING_BYTES)
LOGS_GET = Operation("logs.get", "GET", "/get_log_file", answer_bytes=LISTING_BYTES)
BILLING_GET_USAGE = Operation("billing.get_usage", "GET", "/billing/get_usage", answer_bytes=LISTING_BYTES)
BILLING_GET_STORAGE_USAGE = Operation(
    "billing.get_storage_usage", "GET", "/billing/get_storage_usage", answer_bytes=LISTING_BYTES
)
FILES_GET_UPLOAD_URLS = Operation(
    "files.get_upload_urls",
    "POST",
    "/api/v2/files/get_upload_urls",
    ok=(200, 204),
    read_timeout=2 * MINUTE,
    answer_bytes=LISTING_BYTES,
)
# Completing the same parts again gives the same object, so this is repeated as the vendor's clients do.
FILES_COMPLETE_MULTIPART = Operation(
    "files.complete_multipart",
    "POST",
    "/api/v2/files/multipart/complete",
    any_success=True,
    changes_state=True,
    read_timeout=5 * MINUTE,
)
# The bearer token is not sent along to signed URLs, as by the vendor's clients: the URL is the permission.
OBJECTS_PUT = Operation(
    "objects.put",
    "PUT",
    origin=Origin.SIGNED,
    bearer=False,
    any_success=True,
    changes_state=True,
    read_timeout=5 * MINUTE,
)
OBJECTS_PUT_PART = Operation(
    "objects.put_part",
    "PUT",
    origin=Origin.SIGNED,
    bearer=False,
    any_success=True,
    changes_state=True,
    read_timeout=5 * MINUTE,
)
# Repeatable: the same bytes again, or those that are still missing.
OBJECTS_GET = Operation("objects.get", "GET", origin=Origin.SIGNED, bearer=False, ok=(200, 206))
DOWNLOADS_PAGE = Operation(
    "downloads.page", "POST", "/jobs/{jid}/downloads", ok=(200, 201, 204), answer_bytes=LISTING_BYTES
)
# Hand-outs are not repeated: a lost answer holds what nobody else is offered for a while.
DOWNLOADS_NEXT = Operation(
    "downloads.next",
    "GET",
    "/downloads/next",
    ok=(200, 201, 204),
    repeatable=False,
    changes_state=True,
    answer_bytes=LISTING_BYTES,
)
DOWNLOADS_REPORT = Operation(
    "downloads.report", "POST", "/downloads/status", any_success=True, changes_state=True
)
UPLOADS_NEXT = Operation(
    "uploads.next",
    "PUT",
    "/uploads/client/next",
    ok=(201, 204),
    repeatable=False,
    changes_state=True,
    answer_bytes=LISTING_BYTES,
)
UPLOADS_UPDATE = Operation(
    "uploads.update", "POST", "/uploads/{upload_id}/update", any_success=True, changes_state=True
)
UPLOADS_FINISH = Operation(
    "uploads.finish", "POST", "/uploads/{upload_id}/finish", any_success=True, changes_state=True
)
UPLOADS_FAIL = Operation(
    "uploads.fail", "POST", "/uploads/{upload_id}/fail", any_success=True, changes_state=True
)

OPERATIONS = tuple(value for value in vars().values() if isinstance(value, Operation))


def known_paths(operations: Iterable[Operation] = OPERATIONS) -> tuple[str, ...]:
    """Return the paths, up to what a request fills in, that are no secret and may be logged."""
    return tuple(operation.path.partition("{")[0] for operation in operations if operation.path)
