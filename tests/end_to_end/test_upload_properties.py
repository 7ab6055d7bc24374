"""The md5 and size of an upload are enforced: what is not the declared content is refused and not stored."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

import requests
from hypothesis import assume, given
from hypothesis import strategies as st

from conductor.lib.upload.plan import plan_of
from conductor_contracts import strategies as contract
from support.control import PATIENCE_S
from support.disk import md5_of
from support.examples import examples
from support.farm import Farm, Place, without_explanation


@dataclass
class Upload:
    """A file that is offered to a farm, and a body that is sent for it: another one than was declared, perhaps."""

    farm: Farm
    sent: bytes
    md5: str
    size: int
    content_md5: str | None = None
    chunked: bool = False
    path: str = "/proj/scene.ma"
    url: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.farm.control.reset()
        with self.farm.client() as client:
            files = {self.path: (self.md5, self.size)}
            plan = plan_of(client.calls.files_get_upload_urls(files, "default"), {self.path: self.size})
        (single,) = plan.single
        self.url = single.url

    def put(self, body: bytes, content_md5: str | None = None) -> requests.Response:
        """Send a body to the signed URL."""
        headers = {"Content-Type": "application/octet-stream"}
        if content_md5 is not None:
            headers["Content-MD5"] = content_md5
        data = iter([body] if body else []) if self.chunked else body
        return requests.put(self.url, data=data, headers=headers, timeout=PATIENCE_S)

    def check_refused(self) -> None:
        """The body is refused with a reason, nothing of it is kept, and the farm still takes the right one."""
        before = self.farm.stored()
        answer = self.put(self.sent, self.content_md5)
        assert answer.status_code == 400, answer.text
        assert answer.json()["errors"], answer.text
        assert self.farm.stored() == before
        assert self.farm.leftovers() == []
        assert self.farm.control.files() == {}

    def check_accepted(self, content: bytes) -> None:
        """A right body is kept as it is, so that a refusal was no refusal of everything."""
        answer = self.put(content, md5_of(content))
        assert answer.status_code == 200, answer.text
        assert self.farm.control.files() == {self.path: (md5_of(content), len(content))}
        assert hashlib.md5(content).hexdigest() in self.farm.stored()


contents = st.binary(min_size=1, max_size=300)
styles = st.booleans()
"""Whether a body is sent in chunks, as the vendor's client does, or with its length."""


@examples(15, full=50, parent=without_explanation)
@given(content=contents, at=st.integers(0), mask=st.integers(1, 255), chunked=styles, declare=st.booleans())
def test_a_body_with_a_flipped_byte_is_refused_and_not_stored(
    place: Place, content: bytes, at: int, mask: int, chunked: bool, declare: bool
) -> None:
    at %= len(content)
    flipped = content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]
    upload = Upload(
        place.farm,
        flipped,
        md5_of(content),
        len(content),
        content_md5=md5_of(content) if declare else None,
        chunked=chunked,
    )
    upload.check_refused()
    assert hashlib.md5(flipped).hexdigest() not in place.farm.stored()
    upload.check_accepted(content)


@examples(15, full=50, parent=without_explanation)
@given(content=contents, wrong=contract.md5s(), chunked=styles)
def test_a_body_whose_declared_md5_is_wrong_is_refused_and_not_stored(
    place: Place, content: bytes, wrong: str, chunked: bool
) -> None:
    assume(wrong != md5_of(content))
    upload = Upload(place.farm, content, wrong, len(content), chunked=chunked)
    upload.check_refused()
    assert base64.b64decode(wrong).hex() not in place.farm.stored()


@examples(15, full=50, parent=without_explanation)
@given(content=contents, wrong=contract.md5s(), chunked=styles)
def test_a_content_md5_other_than_the_declared_one_is_refused_and_the_body_is_not_stored(
    place: Place, content: bytes, wrong: str, chunked: bool
) -> None:
    assume(wrong != md5_of(content))
    upload = Upload(place.farm, content, md5_of(content), len(content), content_md5=wrong, chunked=chunked)
    upload.check_refused()
    upload.check_accepted(content)


@examples(15, full=50, parent=without_explanation)
@given(content=contents, wrong=st.integers(0, 600), chunked=styles)
def test_a_body_whose_declared_size_is_wrong_is_refused_and_not_stored(
    place: Place, content: bytes, wrong: int, chunked: bool
) -> None:
    assume(wrong != len(content))
    upload = Upload(place.farm, content, md5_of(content), wrong, chunked=chunked)
    upload.check_refused()
    assert hashlib.md5(content).hexdigest() not in place.farm.stored()


@examples(15, full=50, parent=without_explanation)
@given(content=contents, cut=st.integers(0), more=st.binary(max_size=3), chunked=styles)
def test_a_body_that_ends_early_or_late_is_refused_and_not_stored(
    place: Place, content: bytes, cut: int, more: bytes, chunked: bool
) -> None:
    body = content + more if more else content[: cut % len(content)]
    upload = Upload(place.farm, body, md5_of(content), len(content), chunked=chunked)
    upload.check_refused()
    upload.check_accepted(content)
