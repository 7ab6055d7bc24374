"""Downloads with preconditions and ranges: tables over the wire, and a model that is written from RFC 9110 13, 14."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.api.conditional import Decision, Validators, decide
from conductor_mock.auth.signing import Grant
from conductor_mock.farm.ids import account_id
from support.server import ORIGIN, Answer, ApiCaller, Fake, md5_of, running

CONTENT = b"0123456789"
MD5 = hashlib.md5(CONTENT).hexdigest()
TAG = f'"{MD5}"'
OTHER = '"900150983cd24fb0d6963f7d28e17f72"'


@dataclass
class Stored:
    """Contents that an account holds, and how to ask for them."""

    fake: Fake
    caller: ApiCaller

    def url(self, content: bytes, name: str = "shot.0001.png") -> str:
        path = f"/objects/{account_id(self.caller.client_id)}/{hashlib.md5(content).hexdigest()}/{name}"
        return self.fake.service.signer.url(ORIGIN, Grant("GET", path, None, 2_000_000_000))

    def ask(
        self,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        method: str = "GET",
        content: bytes = CONTENT,
    ) -> Answer:
        return self.caller.request(method, self.url(content), headers=headers)


@pytest.fixture(scope="module")
def stored() -> Iterator[Stored]:
    with running() as fake:
        caller = fake.caller()
        caller.upload("/proj/a", CONTENT)
        caller.upload("/proj/empty", b"")
        yield Stored(fake, caller)


@pytest.fixture(scope="module")
def modified(stored: Stored) -> datetime:
    return datetime.strptime(stored.ask().headers["Last-Modified"], "%a, %d %b %Y %H:%M:%S GMT").replace(
        tzinfo=timezone.utc
    )


def test_a_whole_content_comes_with_what_tells_it_from_others_and_no_name(stored: Stored) -> None:
    answer = stored.ask()

    assert (answer.status, answer.content) == (200, CONTENT)
    told = {
        name: answer.headers[name] for name in ("ETag", "Accept-Ranges", "Content-Length", "Content-Type")
    }
    assert told == {
        "ETag": TAG,
        "Accept-Ranges": "bytes",
        "Content-Length": "10",
        "Content-Type": "image/png",
    }
    assert answer.headers["x-goog-hash"] == f"md5={md5_of(CONTENT)}"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "no-cache" in answer.headers["Cache-Control"]


RANGES: dict[str, tuple[int, int] | int | None] = {
    # an answer of 206 with these bytes, first and last; 416; or the whole
    "bytes=0-0": (0, 0),
    "bytes=0-9": (0, 9),
    "bytes=1-4": (1, 4),
    "bytes=9-9": (9, 9),
    "bytes=9-": (9, 9),
    "bytes=0-": (0, 9),
    "bytes=5-99": (5, 9),
    "bytes=5-" + "9" * 5000: (5, 9),
    "bytes=0001-004": (1, 4),
    "Bytes=1-4": (1, 4),
    "BYTES=1-4": (1, 4),
    "bytes=-1": (9, 9),
    "bytes=-10": (0, 9),
    "bytes=-11": (0, 9),
    "bytes=-1000": (0, 9),
    "bytes=-" + "9" * 5000: (0, 9),
    "bytes= 1-4": (1, 4),
    "bytes=1-4,": (1, 4),
    "bytes=,\t1-4 ,": (1, 4),
    "bytes=10-": 416,
    "bytes=10-20": 416,
    "bytes=" + "9" * 5000 + "-": 416,
    "bytes=-0": 416,
    "bytes=-000": 416,
    # no range in the sense of 14.1.1
    "bytes=4-1": None,
    "bytes=": None,
    "bytes=,": None,
    "bytes=-": None,
    "bytes": None,
    "bytes=a-b": None,
    "bytes=1": None,
    "bytes=1 - 4": None,
    "bytes =1-4": None,
    "bytes=+1-4": None,
    "bytes=1-4-5": None,
    "bytes=--1": None,
    "bytes=\u00b2-4": None,
    "bytes:1-4": None,
    "": None,
    # another unit, or several ranges
    "lines=1-4": None,
    "none": None,
    "seconds=1.5-2": None,
    "bytes=0-0,9-9": None,
    "bytes=0-4,2-6": None,
    "bytes=20-,30-": None,
    "bytes=-2,0-1": None,
}


@pytest.mark.parametrize("value", RANGES, ids=[name[:30] for name in RANGES])
def test_a_range_is_sent_or_refused_or_passed_over(stored: Stored, value: str) -> None:
    expected = RANGES[value]
    answer = stored.ask({"Range": value})

    if expected is None:
        assert (answer.status, answer.content) == (200, CONTENT)
        assert "Content-Range" not in answer.headers
    elif isinstance(expected, int):
        assert answer.status == 416
        assert answer.headers["Content-Range"] == "bytes */10"
        assert answer.faults.keys() == {"Range"}
    else:
        first, last = expected
        assert (answer.status, answer.content) == (206, CONTENT[first : last + 1])
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/10"
        assert answer.headers["Content-Length"] == str(last - first + 1)
        assert answer.headers["ETag"] == TAG


@pytest.mark.parametrize("value", [*RANGES, "bytes=-5"], ids=lambda value: value[:30])
def test_a_range_of_an_empty_file_is_the_whole_or_416(stored: Stored, value: str) -> None:
    expected = RANGES.get(value)
    answer = stored.ask({"Range": value}, content=b"")

    is_suffix = value.startswith("bytes=-") and value.strip("bytes=-0")
    if expected is None or is_suffix:
        assert (answer.status, answer.content) == (200, b"")
    else:
        assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */0")


@pytest.mark.parametrize("value", RANGES, ids=[name[:30] for name in RANGES])
def test_a_head_request_knows_no_ranges(stored: Stored, value: str) -> None:
    answer = stored.ask({"Range": value}, method="HEAD")

    assert (answer.status, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == "10"
    assert "Content-Range" not in answer.headers


PAST, NOW, LATER = -1, 0, 1
"""Seconds from when the content was stored; a date stands in a condition as one of these."""

CONDITIONS: list[tuple[dict[str, str | int], int]] = [
    ({"If-Match": "*"}, 200),
    ({"If-Match": " * "}, 200),
    ({"If-Match": TAG}, 200),
    ({"If-Match": f"{OTHER}, {TAG}"}, 200),
    ({"If-Match": f",{TAG} ,"}, 200),
    ({"If-Match": OTHER}, 412),
    ({"If-Match": f"W/{TAG}"}, 412),
    ({"If-Match": f"w/{TAG}"}, 412),
    ({"If-None-Match": f"w/{TAG}"}, 200),
    ({"If-None-Match": f"{TAG}x, {OTHER}"}, 200),
    ({"If-None-Match": f"x, {TAG}"}, 304),
    ({"If-Match": MD5}, 412),
    ({"If-Match": ""}, 412),
    ({"If-Match": '""'}, 412),
    ({"If-Match": f'"{MD5.upper()}"'}, 412),
    ({"If-Match": '"'}, 412),
    ({"If-Match": '"a, b"'}, 412),
    ({"If-Unmodified-Since": NOW}, 200),
    ({"If-Unmodified-Since": LATER}, 200),
    ({"If-Unmodified-Since": PAST}, 412),
    ({"If-Unmodified-Since": "yesterday"}, 200),
    ({"If-Unmodified-Since": ""}, 200),
    ({"If-Match": TAG, "If-Unmodified-Since": PAST}, 200),
    ({"If-Match": OTHER, "If-Unmodified-Since": LATER}, 412),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": TAG}, 304),
    ({"If-None-Match": f"W/{TAG}"}, 304),
    ({"If-None-Match": f"{OTHER}, W/{TAG}"}, 304),
    ({"If-None-Match": OTHER}, 200),
    ({"If-None-Match": MD5}, 200),
    ({"If-None-Match": ""}, 200),
    ({"If-Modified-Since": NOW}, 304),
    ({"If-Modified-Since": LATER}, 304),
    ({"If-Modified-Since": PAST}, 200),
    ({"If-Modified-Since": "yesterday"}, 200),
    ({"If-Modified-Since": "Thu, 99 Foo 2026 00:00:00 GMT"}, 200),
    ({"If-None-Match": OTHER, "If-Modified-Since": LATER}, 200),
    ({"If-None-Match": TAG, "If-Modified-Since": PAST}, 304),
    ({"If-Match": TAG, "If-None-Match": TAG}, 304),
    ({"If-Match": OTHER, "If-None-Match": TAG}, 412),
    ({"If-Unmodified-Since": PAST, "If-Modified-Since": LATER}, 412),
    ({"If-Unmodified-Since": NOW, "If-Modified-Since": NOW}, 304),
    ({"Range": "bytes=1-4", "If-None-Match": TAG}, 304),
    ({"Range": "bytes=1-4", "If-None-Match": OTHER}, 206),
    ({"Range": "bytes=1-4", "If-Match": TAG}, 206),
    ({"Range": "bytes=1-4", "If-Match": OTHER}, 412),
    ({"Range": "bytes=20-", "If-Match": OTHER}, 412),
    ({"Range": "bytes=20-", "If-None-Match": TAG}, 304),
    ({"Range": "bytes=1-4", "If-Range": TAG}, 206),
    ({"Range": "bytes=1-4", "If-Range": f"W/{TAG}"}, 200),
    ({"Range": "bytes=1-4", "If-Range": OTHER}, 200),
    ({"Range": "bytes=20-", "If-Range": OTHER}, 200),
    ({"Range": "bytes=20-", "If-Range": TAG}, 416),
    ({"Range": "bytes=1-4", "If-Range": NOW}, 206),
    ({"Range": "bytes=1-4", "If-Range": PAST}, 200),
    ({"Range": "bytes=1-4", "If-Range": LATER}, 200),
    ({"Range": "bytes=1-4", "If-Range": "yesterday"}, 200),
    ({"Range": "bytes=1-4", "If-Range": MD5}, 200),
    ({"If-Range": TAG}, 200),
    ({"If-Range": OTHER}, 200),
]


def http_date(modified: datetime, seconds: int, form: int = 0) -> str:
    """One of the three forms of a date (RFC 9110 5.6.7)."""
    date = modified + timedelta(seconds=seconds)
    if form == 0:
        return format_datetime(date, usegmt=True)
    return date.strftime("%A, %d-%b-%y %H:%M:%S GMT" if form == 1 else "%a %b %e %H:%M:%S %Y")


@pytest.mark.parametrize("form", [0, 1, 2])
@pytest.mark.parametrize(("conditions", "status"), CONDITIONS, ids=[str(row[0])[:80] for row in CONDITIONS])
def test_a_precondition_holds_or_does_not(
    stored: Stored, modified: datetime, conditions: dict[str, str | int], status: int, form: int
) -> None:
    headers = {
        name: http_date(modified, value, form) if isinstance(value, int) else value
        for name, value in conditions.items()
    }
    answer = stored.ask(headers)

    assert answer.status == status
    if status in (200, 206):
        assert answer.content == (CONTENT if status == 200 else CONTENT[1:5])
    elif status == 304:
        assert answer.content == b""
        assert answer.headers["ETag"] == TAG
        assert "no-cache" in answer.headers["Cache-Control"]
    else:
        assert answer.faults
        assert answer.headers["X-Conductor-Mock"] == "1"
    of_head = stored.ask(headers, method="HEAD")
    assert of_head.status == (200 if status in (206, 416) else status)
    assert of_head.content == b""


def test_a_refused_url_is_refused_whatever_the_conditions(stored: Stored) -> None:
    """RFC 9110 13.2.1: conditions count only where the answer without them would be a good one."""
    url = f"{stored.url(CONTENT)}0"

    for headers in ({"If-None-Match": "*"}, {"If-Match": OTHER}, {"Range": "bytes=99-"}):
        assert stored.caller.get(url, headers=headers).status == 403


# The model: conditions as what they mean, rendered to text for the code under test.

SIZE, MODIFIED = 100, 1_767_225_600
HELD = Validators("mine", MODIFIED)

tags = st.lists(st.tuples(st.booleans(), st.sampled_from(["mine", "other", "", "Mine", "a, b"])), max_size=3)
"""Weak or not, and the opaque part."""
dates = st.integers(-2, 2)
positions = st.one_of(st.integers(0, 3), st.integers(SIZE - 3, SIZE + 3), st.integers(0, 10**25))
spans = st.one_of(st.tuples(positions, st.one_of(st.none(), positions)), st.tuples(st.none(), positions))
"""First and last; without a first, how many from the end."""


@dataclass(frozen=True)
class Asked:
    method: str
    if_match: Any
    if_none_match: Any
    unmodified_since: int | None
    modified_since: int | None
    spans: list[tuple[int | None, int | None]] | None
    if_range: Any


asked = st.builds(
    Asked,
    method=st.sampled_from(["GET", "GET", "GET", "HEAD"]),
    if_match=st.one_of(st.none(), st.none(), st.just("*"), tags),
    if_none_match=st.one_of(st.none(), st.none(), st.just("*"), tags),
    unmodified_since=st.one_of(st.none(), st.none(), dates),
    modified_since=st.one_of(st.none(), st.none(), dates),
    spans=st.one_of(st.none(), st.lists(spans, min_size=1, max_size=1), st.lists(spans, max_size=3)),
    if_range=st.one_of(
        st.none(), st.none(), dates, st.tuples(st.booleans(), st.sampled_from(["mine", "other"]))
    ),
)


def model(request: Asked) -> tuple[int, range]:
    """Status and bytes, step by step as RFC 9110 13.2.2 lists them."""
    nothing, whole = range(0), range(SIZE)
    # 1 and 2
    if request.if_match is not None:
        if request.if_match != "*" and (False, "mine") not in request.if_match:
            return 412, nothing
    elif request.unmodified_since is not None and request.unmodified_since < 0:
        return 412, nothing
    # 3 and 4
    if request.if_none_match is not None:
        if request.if_none_match == "*" or "mine" in [opaque for _, opaque in request.if_none_match]:
            return 304, nothing
    elif request.modified_since is not None and request.modified_since >= 0:
        return 304, nothing
    # 5 and 6
    if request.method != "GET" or request.spans is None or len(request.spans) != 1:
        return 200, whole
    if request.if_range not in (None, 0, (False, "mine")):
        return 200, whole
    first, last = request.spans[0]
    if first is None:
        assert last is not None
        return (416, nothing) if last == 0 else (206, whole[-min(last, SIZE) :])
    if last is not None and last < first:
        return 200, whole
    found = range(first, SIZE if last is None else min(last + 1, SIZE))
    return (206, found) if found else (416, nothing)


def rendered(request: Asked, comma: str, form: int) -> dict[str, str]:
    def tag(weak: bool, opaque: str) -> str:
        return f'{"W/" if weak else ""}"{opaque}"'

    def some(value: Any) -> str:
        return value if value == "*" else comma.join(tag(*one) for one in value)

    def date(seconds: int) -> str:
        return http_date(datetime.fromtimestamp(MODIFIED, timezone.utc), seconds, form)

    headers = {
        "If-Match": request.if_match if request.if_match is None else some(request.if_match),
        "If-None-Match": request.if_none_match
        if request.if_none_match is None
        else some(request.if_none_match),
        "If-Unmodified-Since": None if request.unmodified_since is None else date(request.unmodified_since),
        "If-Modified-Since": None if request.modified_since is None else date(request.modified_since),
        "If-Range": None
        if request.if_range is None
        else date(request.if_range)
        if isinstance(request.if_range, int)
        else tag(*request.if_range),
        "Range": None
        if request.spans is None
        else "bytes="
        + comma.join(
            f"{'' if first is None else first}-{'' if last is None else last}"
            for first, last in request.spans
        ),
    }
    return {name: value for name, value in headers.items() if value is not None}


@given(asked, st.sampled_from([",", ", ", " ,\t", ",,"]), st.sampled_from([0, 1, 2]))
def test_what_is_decided_is_what_the_model_says(request: Asked, comma: str, form: int) -> None:
    status, sent = model(request)

    decision = decide(request.method, rendered(request, comma, form).get, HELD, SIZE)

    assert decision.status == status
    if status in (200, 206):
        assert range(decision.first, decision.first + decision.count) == sent


@given(
    st.dictionaries(
        st.sampled_from(
            ["If-Match", "If-None-Match", "If-Unmodified-Since", "If-Modified-Since", "If-Range", "Range"]
        ),
        st.text(st.characters(max_codepoint=255), max_size=40)
        | st.text('bytes=0123456789-, "W/*', max_size=20),
    ),
    st.sampled_from(["GET", "HEAD"]),
    st.integers(0, 20),
)
def test_any_text_is_decided_and_what_is_sent_lies_in_the_file(
    headers: dict[str, str], method: str, size: int
) -> None:
    decision = decide(method, headers.get, HELD, size)

    assert isinstance(decision, Decision)
    assert decision.status in (200, 206, 304, 412, 416)
    assert 0 <= decision.first <= decision.first + decision.count <= size
    assert (decision.status == 206) <= (decision.count > 0)
    assert (decision.status == 200) <= (decision.count == size)
