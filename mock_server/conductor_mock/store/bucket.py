"""One prefix of a bucket in an S3-compatible store: the calls that contents need, and what a failure of one means.

Every body is sent with its Content-MD5, so a store takes the bytes that were meant or none. What a call could not do is
a BucketError with a reason of ours: texts of the library and the store may hold names of keys, and reach nobody.
"""

from __future__ import annotations

import base64
import importlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import IO, Any
from urllib.parse import urlsplit

from conductor_mock.store.few_at_once import FewAtOnce, Waiting
from conductor_mock.store.trouble import UnavailableError

log = logging.getLogger(__name__)

TRIES = 3
CONNECT_S = 5
READ_S = 30
CONNECTIONS = 64
MOST_CALLS = 48
"""Calls at once: fewer than the threads of a server, so that who needs no store is served while it does not answer."""
PAGE = 1000
"""Names that one listing, or one removal, has at most."""

_LOCATION = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.DOTALL)
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")
_LONGEST_PREFIX = 500
_CODE = re.compile(r"[A-Za-z0-9.]{1,60}")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)
_MISSING = frozenset({"NoSuchKey", "NotFound", "404"})
_SLOW = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded"}
)
_DENIED = frozenset({401, 403})
_UNNAMED = "NoCredentialsError"
"""What botocore raises before it asks a store, where it finds no credentials."""
_SKEWED = "RequestTimeTooSkewed"
_ANSWERED: Mapping[str, tuple[str, ...]] = {
    "put_object": ("ETag",),
    "get_object": ("ETag", "Body"),
    "head_object": ("ETag", "ContentLength", "LastModified"),
    "list_objects_v2": ("IsTruncated",),
    "create_multipart_upload": ("UploadId",),
    "upload_part": ("ETag",),
    "complete_multipart_upload": ("ETag",),
    "list_multipart_uploads": ("IsTruncated",),
}
"""What every store says when it has done what it was asked for. A proxy that answers in its place does not."""


class BucketError(UnavailableError):
    """The store does not do what it was asked for; the text says why, and nothing of it was kept."""


class NoBucketError(BucketError):
    """The store answers, and has no such bucket."""

    why = "has no such bucket"


class EmptiedBucketError(BucketError):
    """The store answers, and the bucket is not the one that it was: what it had is not to be looked for in it."""

    why = "was emptied or is another one"


class LocationError(ValueError):
    """No place for contents; the text says what is accepted."""


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket, and the beginning of all names in it: empty, or with a slash at its end."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> Location:
        """Of `s3://BUCKET` or `s3://BUCKET/PREFIX`. Raises LocationError."""
        match = _LOCATION.fullmatch(text)
        prefix = "" if match is None else (match[2] or "").strip("/")
        if match is None or (prefix and not _PREFIX.fullmatch(prefix)) or len(prefix) > _LONGEST_PREFIX:
            raise LocationError(
                f"must be s3://BUCKET or s3://BUCKET/PREFIX, in letters, digits and !_.*'()-, got {text[:80]!r}"
            )
        return cls(match[1], f"{prefix}/" if prefix else "")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Found:
    """What is under a name: its bytes, its ETag, when it came (wall seconds), and how long ago by the store's clock."""

    name: str
    size: int
    etag: str
    modified_s: float
    age_s: float


class Bucket:
    """The names below one prefix. Safe in threads; to be made after a fork."""

    def __init__(self, location: Location, endpoint: str | None = None) -> None:
        """`endpoint` None is what AWS_ENDPOINT_URL says, or AWS. Raises LocationError when there is no such client."""
        self.location = location
        self._client = _client(endpoint)
        self._calls = FewAtOnce(MOST_CALLS, TRIES * READ_S)
        self._errors: Any = importlib.import_module("botocore.exceptions")

    def wait_by(self, waiting: Waiting) -> None:
        """What a thread does while it waits for others to be answered by the store."""
        self._calls.waiting = waiting

    def put(self, name: str, body: bytes, *, md5: bytes, is_new: bool = False) -> str:
        """Store a body; its ETag. With `is_new` only where nothing has the name. Raises FileExistsError then."""
        extra = {"IfNoneMatch": "*"} if is_new else {}
        answer = self._call("put_object", name, Body=body, ContentMD5=_text(md5), **extra)
        return _etag(answer)

    def get(self, name: str, first: int = 0, count: int | None = None) -> IO[bytes]:
        """A body as it comes, or `count` bytes of it, fewer where it ends before. Raises FileNotFoundError."""
        if count is None:
            whole: IO[bytes] = self._call("get_object", name)["Body"]
            return whole
        span = f"{first}-{first + count - 1}"
        answer = self._call("get_object", name, Range=f"bytes={span}")
        body: IO[bytes] = answer["Body"]
        if not _is_part(answer, first, count):  # what else would find that out?
            body.close()
            raise BucketError("its object store sent another part of a content than it was asked for")
        return body

    def read(self, body: Any, size: int) -> bytes:
        """The next bytes of what `get` answered. Raises BucketError."""
        try:
            with self._turn():
                return bytes(body.read(size))
        except (self._errors.BotoCoreError, self._errors.HTTPClientError) as error:
            raise BucketError(self._reason("get_object", error)) from None

    def head(self, name: str) -> Found:
        """What is known of a name. Raises FileNotFoundError."""
        try:
            answer = self._call("head_object", name)
        except FileNotFoundError:
            self.check()  # a bucket that is gone answers alike
            raise
        return Found(
            name,
            answer["ContentLength"],
            _etag(answer),
            answer["LastModified"].timestamp(),
            _age_s(answer, answer),
        )

    def check(self) -> None:
        """Raise BucketError when the store does not answer, or the bucket is gone."""
        self._call("list_objects_v2", None, Prefix=self.location.prefix, MaxKeys=1)

    def listed(self, begin: str) -> Iterator[Found]:
        """Every name that begins so, a page at a time, in their order."""
        start = len(self.location.prefix)
        token: dict[str, Any] = {}
        while True:
            page = self._call(
                "list_objects_v2", None, Prefix=self.location.prefix + begin, MaxKeys=PAGE, **token
            )
            for one in page.get("Contents", ()):
                modified_s = one["LastModified"].timestamp()
                yield Found(one["Key"][start:], one["Size"], _etag(one), modified_s, _age_s(page, one))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, name: str) -> None:
        """Take a name away, if it is there."""
        self._call("delete_object", name)

    def copy(self, name: str, target: str) -> None:
        """Copy a body of up to 5 GiB within the store. Raises FileNotFoundError."""
        source = {"Bucket": self.location.bucket, "Key": self.location.prefix + name}
        answer = self._call("copy_object", target, CopySource=source)
        _check_said(answer.get("CopyObjectResult", {}), ("ETag",), "copy_object")

    def begin_parts(self, name: str) -> str:
        """Begin to store a body in parts, which is nowhere until they are joined; its id."""
        return str(self._call("create_multipart_upload", name)["UploadId"])

    def put_part(self, name: str, upload: str, number: int, body: bytes, *, md5: bytes) -> str:
        """Store a part; its ETag."""
        answer = self._call(
            "upload_part", name, UploadId=upload, PartNumber=number, Body=body, ContentMD5=_text(md5)
        )
        return _etag(answer)

    def join_parts(self, name: str, upload: str, etags: list[str]) -> str:
        """Make the parts one body, which has its name when this returns; its ETag."""
        parts = [{"PartNumber": number, "ETag": f'"{etag}"'} for number, etag in enumerate(etags, 1)]
        return _etag(
            self._call("complete_multipart_upload", name, UploadId=upload, MultipartUpload={"Parts": parts})
        )

    def forget_parts(self, name: str, upload: str) -> None:
        """Give up a body in parts."""
        self._call("abort_multipart_upload", name, UploadId=upload)

    def begun(self) -> Iterator[tuple[str, str, float]]:
        """Bodies in parts that nobody has joined: name, id, and how long ago they were begun."""
        start = len(self.location.prefix)
        marker: dict[str, Any] = {}
        while True:
            page = self._call(
                "list_multipart_uploads", None, Prefix=self.location.prefix, MaxUploads=PAGE, **marker
            )
            for one in page.get("Uploads", ()):
                yield one["Key"][start:], one["UploadId"], _age_s(page, {"LastModified": one["Initiated"]})
            if not page.get("IsTruncated"):
                return
            marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def _call(self, operation: str, name: str | None, **arguments: Any) -> Any:
        if name is not None:
            arguments["Key"] = self.location.prefix + name
        call: Callable[..., Any] = getattr(self._client, operation)
        try:
            with self._turn():
                answer = call(Bucket=self.location.bucket, **arguments)
        except self._errors.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if name is not None and code in _MISSING:
                raise FileNotFoundError(name) from None
            if code == "PreconditionFailed":
                raise FileExistsError(name) from None
            # Where the endpoint's path names a bucket, the store looks for ours as for a key of that one.
            is_missing = code == "NoSuchBucket" or code in _MISSING
            raise (NoBucketError if is_missing else BucketError)(self._reason(operation, error)) from None
        except (self._errors.BotoCoreError, self._errors.HTTPClientError) as error:
            raise BucketError(self._reason(operation, error)) from None
        except RecursionError:  # so the library follows one that names no other region
            raise BucketError(
                f"its object store sends on to another place (redirected, {operation})"
            ) from None
        _check_said(answer, _ANSWERED.get(operation, ()), operation)
        return answer

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with ExitStack() as turn:
            try:
                turn.enter_context(self._calls.turn())
            except UnavailableError:
                raise BucketError("its object store does not answer those who came before") from None
            yield

    def _reason(self, operation: str, error: Any) -> str:
        """Why a call failed, in words of ours."""
        answer = getattr(error, "response", None)
        if not isinstance(answer, dict):
            if type(error).__name__ == _UNNAMED:
                return (
                    "nothing says who this is to its object store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                    f"AWS_PROFILE ({operation})"
                )
            return f"its object store does not answer ({type(error).__name__}, {operation})"
        said = str(answer.get("Error", {}).get("Code", ""))
        code = said if _CODE.fullmatch(said) else "an unknown code"
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        told = f"({code}, {operation})"
        if code == "NoSuchBucket":
            return f"the bucket {self.location.bucket} of its object store is gone {told}"
        if code == _SKEWED:
            return f"the clock of its machine is not that of its object store: set it {told}"
        if status in _DENIED:
            return f"its object store refuses the server's credentials {told}"
        if code in _SLOW or status in (429, 503):
            return f"its object store is overloaded {told}"
        return f"its object store refuses {told}"


def _check_said(answer: Mapping[str, Any], fields: Iterable[str], operation: str) -> None:
    """Raise BucketError when an answer has not what every store says."""
    for field in fields:
        if field not in answer:
            raise BucketError(f"what answers for its object store is none (without {field}, {operation})")


def _is_part(answer: Mapping[str, Any], first: int, count: int) -> bool:
    """Whether what an answer has is what was asked for: `count` bytes from `first` on, or all that follow."""
    match = _CONTENT_RANGE.fullmatch(str(answer.get("ContentRange", "")))
    if match is None:
        return False
    begin, last, size = map(int, match.groups())
    return (begin, last) == (first, min(first + count, size) - 1) and answer.get(
        "ContentLength"
    ) == last - begin + 1


def _client(endpoint: str | None) -> Any:
    """A client of the library. Raises LocationError."""
    try:
        library: Any = importlib.import_module("botocore.session")
        config: Any = importlib.import_module("botocore.config")
        errors: Any = importlib.import_module("botocore.exceptions")
    except ImportError as error:
        raise LocationError(f"needs pip install 'conductor-mock[s3]' ({error})") from None
    if endpoint is not None:
        _check_endpoint(endpoint)
    session = library.get_session()
    try:
        return session.create_client(
            "s3",
            endpoint_url=endpoint,
            config=config.Config(
                retries={"mode": "standard", "total_max_attempts": TRIES},
                connect_timeout=CONNECT_S,
                read_timeout=READ_S,
                max_pool_connections=CONNECTIONS,
                # What not every store knows is left out: Content-MD5 does the same, and all know it.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "auto"},  # by the bucket's name in the path, but at AWS itself
            ),
        )
    except (errors.BotoCoreError, ValueError) as error:
        raise LocationError(
            f"cannot be reached: {type(error).__name__}, look at the AWS_ variables"
        ) from None


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        is_usable = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise LocationError("of the endpoint must be a URL, http:// or https:// with a host and a port")
    if parts.username is not None:  # it is empty where there is a password alone
        raise LocationError(
            "of the endpoint has a user or a password in its URL; give them as AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )


def _text(md5: bytes) -> str:
    return base64.b64encode(md5).decode("ascii")


def _etag(answer: Any) -> str:
    return str(answer.get("ETag", "")).strip('"')


def _age_s(answer: Any, of: Any) -> float:
    """How long ago something came, both by the store's clock; 0 when it does not tell the time."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    try:
        now: datetime = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return 0.0
    if now.tzinfo is None:
        now = now.replace(tzinfo=timezone.utc)
    return float((now - of["LastModified"]).total_seconds())
