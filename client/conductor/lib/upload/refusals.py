"""Why a file, or a part of one, was not taken: it changed, its URL expired, or the service does not want it."""

from __future__ import annotations

from conductor.lib.exceptions import FileChangedError, FixInputError, RefusedError
from conductor.lib.files.hashing import contradiction
from conductor.lib.files.local import LocalFile, changed
from conductor.lib.upload.file_body import DURING

# What stores answer to a signed URL that is too old, or that they no longer know (inferred: a store that signs with
# another key since, or that has dropped the upload). 400 is also the answer to wrong bytes, hence the look at the file.
_STALE = frozenset({400, 401, 403, 404, 410})


def may_have_expired(file: LocalFile, error: RefusedError | FileChangedError) -> bool:
    """Say whether another URL may help. Reads the whole file where the answer leaves open what was wrong."""
    if not isinstance(error, RefusedError) or error.status not in _STALE:
        return False
    return error.status != 400 or contradiction(file, DURING) is None


def explained(file: LocalFile, error: RefusedError | FileChangedError) -> FixInputError:
    """Return the error to raise for a refusal: by md5 it says whether it is because the file changed."""
    explanation = contradiction(file, DURING)
    if explanation is not None:
        return explanation
    if isinstance(error, FileChangedError):
        # Touched, or replaced by a copy: the content that was promised is what is there now.
        return changed(file, f"{error.actual} (the same md5)", DURING)
    return RefusedError(
        f"{error}; the file still has the md5 {file.md5} that was declared",
        operation=error.operation,
        status=error.status,
        attempts=error.attempts,
        acted=error.acted,
    )
