"""What daemons and people tell the service: polls, reports, actions (wire reference 2.7, 2.11 to 2.17)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from conductor_contracts.job_states import load_job_states
from conductor_contracts.strategies.values import WORDS, absolute_paths, md5s, texts

Fields = dict[str, Any]

_COUNTS = st.one_of(st.none(), st.integers(0, 2**63 - 1))


def job_actions(*, jids: Sequence[str] | None = None) -> st.SearchStrategy[Fields]:
    """Valid bodies for ``jobs.act``. ``jids`` are the ids to draw from; without it any are drawn."""
    return st.fixed_dictionaries(
        {
            "action": st.sampled_from(sorted(load_job_states().actions)),
            "jobids": st.lists(_one_of("jids", jids, _numbers(5)), min_size=1, max_size=4, unique=True),
        }
    )


def task_actions(
    *, jids: Sequence[str] | None = None, tids: Sequence[str] | None = None
) -> st.SearchStrategy[Fields]:
    """Valid bodies for ``tasks.act``, with ids from ``jids`` and ``tids`` where they are given."""
    return st.fixed_dictionaries(
        {
            "action": st.sampled_from(
                sorted(name for name, single in load_job_states().actions.items() if single)
            ),
            "jobid": _one_of("jids", jids, _numbers(5)),
            "taskids": st.lists(_one_of("tids", tids, _numbers(3)), min_size=1, max_size=4, unique=True),
        }
    )


def upload_progress() -> st.SearchStrategy[Fields]:
    """Valid bodies for ``uploads.update``, in either spelling of the bytes sent; counts may be null or missing."""
    return st.fixed_dictionaries(
        {},
        optional={
            "upload_id": WORDS,
            "transfer_size": _COUNTS,
            "bytes_transfered": _COUNTS,
            "bytes_transferred": _COUNTS,
        },
    )


def upload_finishes(*, files: dict[str, str | None] | None = None) -> st.SearchStrategy[Fields]:
    """Valid bodies for ``uploads.finish``.

    ``files`` maps the paths of the upload to the md5s that are true: each is then reported so, with another
    md5, or left out. Without it any paths are drawn; some clients report no files at all.
    """
    if files is None:
        reported = st.dictionaries(absolute_paths(), st.one_of(st.none(), md5s()), max_size=4)
    else:
        reported = st.fixed_dictionaries(
            {}, optional={path: st.one_of(st.just(md5), md5s()) for path, md5 in files.items()}
        )
    entries = reported.map(lambda found: {path: {"source": path, "md5": md5} for path, md5 in found.items()})
    return st.fixed_dictionaries(
        {"upload_files": st.one_of(entries, st.sampled_from([{}, None]))},
        optional={"upload_id": WORDS, "status": st.just("server_pending")},
    )


def download_reports(*, download_ids: Sequence[str] | None = None) -> st.SearchStrategy[Fields]:
    """Valid bodies for ``downloads.report``, about ``download_ids`` or any."""
    return st.fixed_dictionaries(
        {
            "download_id": _one_of("download_ids", download_ids, texts(min_size=1)),
            "status": st.sampled_from(["downloading", "downloaded", "pending"]),
        },
        optional={"bytes_downloaded": _COUNTS, "bytes_to_download": _COUNTS},
    )


def completions() -> st.SearchStrategy[Fields]:
    """Valid bodies for ``files.complete_multipart``, ETags with their quotes or without; ``project`` is null."""
    digests = st.binary(min_size=16, max_size=16).map(bytes.hex)
    etags = st.one_of(digests, digests.map('"{}"'.format))
    parts = st.lists(etags, min_size=1, max_size=5).map(
        lambda found: [{"partNumber": number, "etag": etag} for number, etag in enumerate(found, start=1)]
    )
    return st.fixed_dictionaries(
        {"uploadID": WORDS, "hash": md5s(), "completedParts": parts}, optional={"project": st.none()}
    )


def _numbers(width: int) -> st.SearchStrategy[str]:
    """Ids as the service writes them, sometimes one digit longer than usual."""
    return st.integers(0, 10 ** (width + 1)).map(lambda number: str(number).zfill(width))


def _one_of(
    name: str, known: Sequence[str] | None, otherwise: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    if known is None:
        return otherwise
    if isinstance(known, str) or not known:
        raise InvalidArgument(f"{name} must be a list of at least one id, got {known!r}")
    return st.sampled_from(list(known))
