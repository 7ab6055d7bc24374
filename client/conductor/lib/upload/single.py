"""A file that goes up as the service wants it, in parts or in one piece, and what happens when its URL is refused."""

from __future__ import annotations

from functools import partial

from conductor.lib.exceptions import FileChangedError, RefusedError
from conductor.lib.files.local import LocalFile
from conductor.lib.transfers.work_pool import SmallWork, Then
from conductor.lib.upload.context import UploadContext
from conductor.lib.upload.file_body import FileBody
from conductor.lib.upload.multipart import MultipartUpload
from conductor.lib.upload.plan import SinglePart, UploadPlan
from conductor.lib.upload.refusals import explained, may_have_expired

# Sent in less time than it takes to hand out a piece of work and to take its result.
SMALL_BYTES = 64 * 1024


def begin(upload: UploadContext, file: LocalFile, plan: UploadPlan, *, again: bool = False) -> None:
    """Send a file as the plan for it says: in one piece, in parts, or not at all where the service has it.

    ``again``: this is another plan than the first, which may name a URL in vain once more, and no other after that.
    """
    if plan.single:
        SingleUpload(upload, file).begin(plan.single[0], again=again)
    elif plan.multi:
        otherwise = partial(begin, upload, file, again=True)
        MultipartUpload(upload, plan.multi[0], file, otherwise).begin()
    else:
        upload.meter.settle(file)


class SingleUpload:
    """One file of an upload. All methods but ``_put``, the piece of work, run in the coordinating thread."""

    def __init__(self, upload: UploadContext, file: LocalFile) -> None:
        self._upload, self._file = upload, file

    def begin(self, plan: SinglePart, *, again: bool) -> None:
        """Send the file; ``again`` if its first URL was refused."""
        kind = SmallWork if self._file.size <= SMALL_BYTES else partial
        self._upload.to_send.append(kind(self._put, plan, again=again))

    def _put(self, plan: SinglePart, *, again: bool) -> Then:
        upload, file = self._upload, self._file
        tell_read = partial(upload.meter.sending, file.path)
        body = partial(
            FileBody, file, 0, file.size, upload.stop, check_md5=not plan.checked, tell_read=tell_read
        )
        md5 = (file.md5 or "") if plan.checked else None
        try:
            upload.calls.objects_put(plan.url, body, size=file.size, md5=md5, about=file.path)
        except (RefusedError, FileChangedError) as error:
            if not again and may_have_expired(file, error):
                return partial(begin, upload, file, upload.ask([file]), again=True)
            raise explained(file, error) from None
        return partial(upload.stored, file)
