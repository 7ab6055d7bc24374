"""A file that goes up in one piece, and what happens when its URL is refused."""

from __future__ import annotations

from functools import partial

from conductor.lib.exceptions import FileChangedError, RefusedError
from conductor.lib.files.local import LocalFile
from conductor.lib.transfers.work_pool import Then
from conductor.lib.upload.context import UploadContext
from conductor.lib.upload.file_body import FileBody
from conductor.lib.upload.multipart import MultipartUpload
from conductor.lib.upload.plan import SinglePart, UploadPlan
from conductor.lib.upload.refusals import explained, may_have_expired


class SingleUpload:
    """One file of an upload. All methods but ``_put``, the piece of work, run in the coordinating thread."""

    def __init__(self, upload: UploadContext, file: LocalFile) -> None:
        self._upload, self._file = upload, file

    def begin(self, plan: SinglePart, *, again: bool = False) -> None:
        """Send the file; ``again`` if its first URL was refused."""
        self._upload.to_send.append(partial(self._put, plan, again=again))

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
                return partial(self._put_again, upload.ask([file]))
            raise explained(file, error) from None
        return partial(upload.stored, file)

    def _put_again(self, plan: UploadPlan) -> None:
        """Send to another URL what was refused, unless somebody else sent it meanwhile."""
        if plan.single:
            self.begin(plan.single[0], again=True)
        elif plan.multi:
            MultipartUpload(self._upload, plan.multi[0], self._file).begin()
        else:
            self._upload.meter.settle(self._file)
