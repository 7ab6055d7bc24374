"""Submitting a job: check the arguments, upload the files, send the job."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conductor.lib.api_client import ApiClient, client_or_own
from conductor.lib.cancellation import Cancellation
from conductor.lib.config import Config
from conductor.lib.exceptions import BadArgumentError, InvalidPathError
from conductor.lib.file_utils import expand_paths, read_path_list
from conductor.lib.files.hashing import hash_file
from conductor.lib.files.local import LocalFile, look_at
from conductor.lib.progress import ProgressCallback
from conductor.lib.submission.payload import build_payload
from conductor.lib.submission.resolution import Arguments, resolve
from conductor.lib.uploader import Uploader
from conductor.lib.wire.log_lines import SafeFormatter

if TYPE_CHECKING:
    from conductor.lib.md5_cache import Md5Cache

__all__ = ["BadArgumentError", "Submit", "set_logging"]

logger = logging.getLogger(__name__)

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_HANDLER = "conductor-log"


def set_logging(level: int | str = logging.INFO, log_filepath: str | Path | None = None) -> None:
    """Show this library's log on the standard error, and write it to a file if one is named.

    ``level`` is a number of the logging module or a name such as ``"DEBUG"``. Calling it again replaces what
    the last call set. Raises ValueError for an unknown level, OSError for a file that cannot be written.
    """
    root = logging.getLogger("conductor")
    root.setLevel(level.upper() if isinstance(level, str) else level)
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if log_filepath is not None:
        handlers.append(logging.FileHandler(log_filepath, encoding="utf-8"))
    for old in [handler for handler in root.handlers if handler.name == _HANDLER]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.set_name(_HANDLER)
        handler.setFormatter(SafeFormatter(_FORMAT))
        root.addHandler(handler)


class Submit:
    """One submission.

    ``args`` is the dictionary of arguments that ``conductor.lib.submission.arguments`` lists, under their documented
    names or those of the vendor's clients. What it does not say comes from the config file, the environment and the
    defaults, in rising order of precedence: defaults < config file < environment < ``args``. ``client`` is used
    and not closed if given. ``progress`` is told how far the upload is, ``cancellation`` ends it (see ``Uploader``);
    the job itself is sent or not, never cancelled in between.

    Raises BadArgumentError, which lists everything that is wrong, and ConfigError, both before anything is sent.
    """

    def __init__(
        self,
        args: Mapping[str, Any],
        *,
        config: Config | None = None,
        client: ApiClient | None = None,
        progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        self._config = config or (client.config if client else Config.load())
        self._client = client
        self._progress, self._cancellation = progress, cancellation
        self._arguments = resolve(args, self._config.submission())

    @property
    def arguments(self) -> Arguments:
        """The arguments in force."""
        return self._arguments

    def main(self) -> tuple[dict[str, Any], int]:
        """Upload what is to be uploaded, submit, and return the service's answer and its status.

        The answer of a submission is ``{"body", "jobid", "status", "uri"}`` with 201. With ``upload_only`` and
        nothing to upload no request is made and ``({"message", "jobid"}, 204)`` is returned (wire reference
        3.5). Raises the errors of ``conductor.lib.exceptions``.
        """
        paths = self._paths()
        if self._arguments["upload_only"] and not paths:
            return {"message": "No files to upload", "jobid": None}, 204
        files = self._with_enforced_md5s(look_at(paths))
        with client_or_own(self._client, self._config) as client:
            if self._arguments["local_upload"]:
                files = list(self._uploader(client).upload(files).files)
                if self._cancellation is not None:
                    self._cancellation.check()
            return client.create_job(build_payload(self._arguments, files))

    def payload(self) -> dict[str, Any]:
        """Return the body that ``main`` would submit, with the md5 of every file; nothing is sent.

        Files are read where the md5 cache does not know them. Raises as ``main`` does for files.
        """
        files = self._with_enforced_md5s(look_at(self._paths()))
        if self._arguments["local_upload"]:
            files = self._hashed(files)
        return build_payload(self._arguments, files)

    def _hashed(self, files: list[LocalFile]) -> list[LocalFile]:
        cache = self._cache()
        seen_ns = cache.now_ns() if cache else None
        known = cache.known(files) if cache else {}
        from concurrent.futures import ThreadPoolExecutor  # a submission has its own threads

        with ThreadPoolExecutor(self._config.thread_count) as pool:
            new = dict(
                pool.map(
                    lambda file: (file.path, hash_file(file.path)),
                    [file for file in files if file.path not in known],
                )
            )
        if cache:
            cache.remember(new.values(), seen_ns=seen_ns)
        return [known.get(file.path) or new[file.path] for file in files]

    def _uploader(self, client: ApiClient) -> Uploader:
        return Uploader(
            client,
            project=self._arguments["project"] or None,
            cache=self._cache(),
            progress=self._progress,
            cancellation=self._cancellation,
        )

    def _paths(self) -> list[str]:
        """Return every file to upload: upload_paths, then those listed in upload_file."""
        listed = list(self._arguments["upload_paths"])
        if self._arguments["upload_file"] is not None:
            listed += read_path_list(self._arguments["upload_file"])
        paths = expand_paths(listed)
        if not paths and not self._arguments["upload_only"]:
            logger.info("there are no files to upload")
        return paths

    def _with_enforced_md5s(self, files: list[LocalFile]) -> list[LocalFile]:
        """Return the files with the md5s that a daemon must find, and those only named there (wire reference 3.2)."""
        enforced = self._arguments["enforced_md5s"]
        if self._arguments["local_upload"]:
            if enforced:
                logger.warning(
                    "enforced_md5s is for uploader daemons, and without effect when local_upload is True"
                )
            return files
        by_path = {file.path: file for file in files}
        for path, md5 in enforced.items():
            expanded = expand_paths([path])
            if len(expanded) != 1:
                raise InvalidPathError(
                    f"enforced_md5s: {path!r} stands for {len(expanded)} files; accepted: a path of one file"
                )
            file = by_path.get(expanded[0]) or look_at(expanded)[0]
            by_path[file.path] = file.with_md5(md5)
        return list(by_path.values())

    def _cache(self) -> Md5Cache | None:
        if not self._arguments["md5_caching"] or self._arguments["force"]:
            return None
        # SQLite is only loaded where it is used.
        from conductor.lib.md5_cache import user_cache

        return user_cache(self._arguments["database_filepath"])
