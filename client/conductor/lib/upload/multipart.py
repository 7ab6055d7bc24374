"""A file that goes up in parts: which are there, which are under way, and what happens when a URL is refused.

All methods but the pieces of work (``_put``, ``_renew``, ``_complete``) run in the coordinating thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial

from conductor.lib.exceptions import FileChangedError, RefusedError
from conductor.lib.files.local import LocalFile
from conductor.lib.transfers.work_pool import Then
from conductor.lib.upload.context import UploadContext
from conductor.lib.upload.file_body import FileBody
from conductor.lib.upload.plan import MultiPart, UploadPlan
from conductor.lib.upload.refusals import explained, may_have_expired
from conductor.lib.wire.call import Sent

logger = logging.getLogger(__name__)


def etag_of(sent: Sent, number: int, path: str) -> str:
    """Return the ETag of a part that was sent, without quotes. Raises UnexpectedAnswerError if there is none."""
    etag = sent.answer.headers.get("ETag", "").strip('"')
    if not etag:
        raise sent.unexpected(f"no ETag for part {number} of {path}")
    return etag


class MultipartUpload:
    """One file of an upload, in parts."""

    def __init__(
        self,
        upload: UploadContext,
        plan: MultiPart,
        file: LocalFile,
        otherwise: Callable[[UploadPlan], None],
    ) -> None:
        """``otherwise`` is given the plan in which the service wants no parts of the file any more."""
        self._upload, self._plan, self._file, self._otherwise = upload, plan, file, otherwise
        self._etags: dict[int, str] = {}
        self._under_way: set[int] = set()
        self._refused: set[int] = set()
        self._renewing = False
        # Whether a part was stored since the last new URLs: without that, more of them do not help.
        self._may_renew = True
        self._resumed = 0
        # What is still under way when the file is there, or goes another way, counts no more.
        self._over = False

    def begin(self) -> None:
        """Send the parts, but for those that an earlier upload sent."""
        memory = self._upload.part_memory
        self._etags = memory.etags(self._plan, self._md5) if memory else {}
        self._resumed = sum(self._size(number) for number in self._etags)
        if self._resumed:
            logger.info("%s: %d bytes were sent before", self._file.path, self._resumed)
        for number in self._etags:
            self._upload.meter.part_done(self._piece(number), self._size(number))
        self._send(self._plan.urls)

    @property
    def _md5(self) -> str:
        return self._file.md5 or ""

    def _piece(self, number: int) -> str:
        return f"{self._file.path}#{number}"

    def _size(self, number: int) -> int:
        return min(self._plan.part_size, self._file.size - (number - 1) * self._plan.part_size)

    def _send(self, numbers: Iterable[int]) -> None:
        for number in sorted(self._plan.urls.keys() & numbers):  # an upload that began anew may have fewer
            if number not in self._etags and number not in self._under_way:
                self._under_way.add(number)
                self._upload.to_send.append(partial(self._put, number))
        self._complete_if_all_there()

    def _send_anew(self, number: int) -> None:
        """Take note that what was sent for an older plan counts no more, and send it for this one."""
        self._under_way.discard(number)
        self._upload.meter.drop([self._piece(number)])
        if not self._over:
            self._send([number])

    def _put(self, number: int) -> Then:
        plan, file = self._plan, self._file
        if self._over or number not in plan.urls:  # it is of an older plan
            return partial(self._send_anew, number)
        offset = (number - 1) * plan.part_size
        size = min(plan.part_size, file.size - offset)
        tell = partial(self._upload.meter.sending, self._piece(number))
        body = partial(FileBody, file, offset, size, self._upload.stop, tell_read=tell)
        try:
            sent = self._upload.calls.objects_put_part(
                plan.urls[number], body, size=size, about=f"{file.path} (part {number})"
            )
        except (RefusedError, FileChangedError) as error:
            if not may_have_expired(file, error):
                raise explained(file, error) from None
            return partial(self._was_refused, plan, number, error)
        etag = etag_of(sent, number, file.path)
        if self._upload.part_memory:  # here, before this thread sends another part
            self._upload.part_memory.remember(plan, self._md5, number, etag)
        return partial(self._stored, plan, number, etag)

    def _stored(self, plan: MultiPart, number: int, etag: str) -> None:
        if self._over or not plan.is_same_upload(self._plan):  # the service began anew meanwhile
            self._send_anew(number)
            return
        self._under_way.discard(number)
        self._may_renew = True
        self._etags[number] = etag
        self._upload.meter.part_done(self._piece(number), self._size(number))
        self._complete_if_all_there()

    def _was_refused(self, plan: MultiPart, number: int, error: RefusedError | FileChangedError) -> None:
        if self._over or plan is not self._plan:
            self._send_anew(number)
            return
        self._under_way.discard(number)
        if not self._may_renew and not self._renewing:
            raise explained(self._file, error)
        self._refused.add(number)
        if not self._renewing:
            self._renewing, self._may_renew = True, False
            self._upload.to_send.appendleft(self._renew)  # before parts whose URLs have expired as well

    def _renew(self) -> Then:
        return partial(self._renewed, self._upload.ask([self._file]))

    def _renewed(self, plan: UploadPlan) -> None:
        self._renewing = False
        if not plan.multi:
            self._end()
            self._upload.meter.drop(self._pieces(self._plan))
            self._otherwise(plan)
            return
        new, old = plan.multi[0], self._plan
        self._plan = new
        if not new.is_same_upload(old):
            self._upload.meter.drop(self._pieces(old))
            self._drop_etags(old)
            self._refused = set(new.urls)
        numbers, self._refused = self._refused, set()
        self._send(numbers)

    def _drop_etags(self, plan: MultiPart) -> None:
        self._etags.clear()
        self._resumed = 0
        if self._upload.part_memory:
            self._upload.part_memory.forget(plan, self._md5)

    def _complete_if_all_there(self) -> None:
        if len(self._etags) == len(self._plan.urls) and not self._under_way:
            self._upload.to_send.append(self._complete)

    def _complete(self) -> Then:
        plan, file = self._plan, self._file
        try:
            self._upload.calls.files_complete_multipart(
                plan.upload_id, self._md5, dict(self._etags), about=file.path
            )
        except RefusedError as error:
            if self._resumed:  # the service may have dropped parts of an earlier day
                return self._begin_again
            raise explained(file, error) from None
        return self._was_stored

    def _begin_again(self) -> None:
        self._drop_etags(self._plan)
        self._send(self._plan.urls)

    def _was_stored(self) -> None:
        self._end()
        self._upload.stored(self._file, self._pieces(self._plan), self._resumed)

    def _pieces(self, plan: MultiPart) -> tuple[str, ...]:
        return tuple(self._piece(number) for number in plan.urls)

    def _end(self) -> None:
        self._over = True
        if self._upload.part_memory:
            self._upload.part_memory.forget(self._plan, self._md5)
