"""A file that goes up in parts, in every order of answers: it is there whole, or there is an error that says so."""

from __future__ import annotations

import io
import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.cancellation import Cancellation
from conductor.lib.exceptions import FileChangedError, FixInputError, RefusedError, UnexpectedAnswerError
from conductor.lib.files.hashing import hash_file
from conductor.lib.files.local import LocalFile, look_at
from conductor.lib.transfers.work_pool import SmallWork, Then
from conductor.lib.upload.context import UploadContext
from conductor.lib.upload.multipart import etag_of
from conductor.lib.upload.part_memory import PartMemory
from conductor.lib.upload.plan import MultiPart, SinglePart, UploadPlan
from conductor.lib.upload.progress import Meter
from conductor.lib.upload.single import begin
from conductor.lib.wire.call import Sent
from conductor.lib.wire.calls import Calls
from conductor.lib.wire.operations import FILES_GET_UPLOAD_URLS, OBJECTS_PUT_PART
from conductor.lib.wire.outcomes import Answer
from conductor.lib.wire.refusals import Attempted
from support.client_world import md5_of

CONTENT = b"abcdefghijk"
WORKERS = 3
STORE = "http://store.test"
ENOUGH = 500
"""Steps after which an upload of few parts must have come to its end."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> LocalFile:
    path = tmp_path_factory.mktemp("files") / "large"
    path.write_bytes(CONTENT)
    return hash_file(str(path))


def refused(status: int) -> RefusedError:
    return RefusedError("no", operation="objects.put_part", status=status)


class Memory:
    """What is remembered of parts; a dictionary instead of a file."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], dict[int, str]] = {}

    def etags(self, plan: MultiPart, md5: str) -> dict[int, str]:
        assert md5 == md5_of(CONTENT)
        return dict(self.kept.get((plan.upload_id, plan.part_size), {}))

    def remember(self, plan: MultiPart, md5: str, number: int, etag: str) -> None:
        assert md5 == md5_of(CONTENT)
        self.kept.setdefault((plan.upload_id, plan.part_size), {})[number] = etag

    def forget(self, plan: MultiPart, md5: str) -> None:
        assert md5 == md5_of(CONTENT)
        self.kept.pop((plan.upload_id, plan.part_size), None)


@dataclass
class Store:
    """A service with one upload, which refuses parts, forgets what it has, begins anew or has the file from elsewhere.

    `happens` is asked before each request for parts what goes wrong with it; None if nothing does.
    """

    part_size: int
    happens: Callable[[], str | None] = lambda: None
    upload: int = 0
    signed: int = 0
    parts: dict[int, bytes] = field(default_factory=dict)
    whole: bytes | None = None
    from_elsewhere: bool = False
    wanted_whole: bool = False
    put: list[tuple[int, int, int]] = field(default_factory=list)
    """Upload, part size and number of each part that was taken."""
    completed: int = 0
    asked: int = 0
    refused: set[str] = field(default_factory=set)
    tried_again: list[str] = field(default_factory=list)

    def plan(self, file: LocalFile) -> dict[str, Any]:
        if self.whole is not None:
            return {}
        self.signed += 1
        if self.wanted_whole:
            url = f"{STORE}/whole/{self.signed}"
            return {"singlePartURLs": [{"filePath": file.path, "preSignedURL": url}]}
        parts = [
            {"partNumber": number, "url": f"{STORE}/{self.upload}/{self.part_size}/{number}/{self.signed}"}
            for number in range(1, -(-file.size // self.part_size) + 1)
        ]
        record = {
            "filePath": file.path,
            "uploadID": str(self.upload),
            "partSize": self.part_size,
            "parts": parts,
        }
        return {"multiPartURLs": [record]}

    def anew(self, *, part_size: int | None = None, keeps_its_name: bool = False) -> None:
        self.upload += not keeps_its_name
        self.part_size = part_size or self.part_size
        self.parts.clear()

    # What the client calls

    def files_get_upload_urls(self, files: Mapping[str, tuple[str, int]], project: str | None) -> Sent:
        ((path, (md5, size)),) = files.items()
        assert (md5, size, project) == (md5_of(CONTENT), len(CONTENT), "film")
        self.asked += 1
        body = self.plan(LocalFile(path, Path(path).stat()))
        return sent(json.dumps(body).encode())

    def objects_put_part(self, url: str, body: Callable[[], io.RawIOBase], *, size: int, about: str) -> Sent:
        upload, part_size, number, _signed = map(int, url.removeprefix(f"{STORE}/").split("/"))
        assert about.endswith(f"large (part {number})")
        self._go_wrong()
        if (
            (upload, part_size) != (self.upload, self.part_size)
            or self.wanted_whole
            or self.whole is not None
        ):
            raise refused(404)
        with body() as stream:
            data = stream.read()
        assert data == piece_of(number, part_size)
        assert len(data) == size
        self.parts[number] = data
        self.put.append((upload, part_size, number))
        return sent(b"", ETag=f'"{number}-{upload}"')

    def _go_wrong(self) -> None:
        what = self.happens()
        if what == "expired":
            raise refused(403)
        if what == "dropped":
            self.parts.clear()
        if what == "anew":
            self.anew()
        if what == "anew in larger parts":
            self.anew(part_size=self.part_size + 2)
        if what == "anew in smaller parts":
            self.anew(part_size=max(1, self.part_size - 1))
        if what == "anew by the same name":
            self.anew(part_size=self.part_size + 1, keeps_its_name=True)
        if what == "there":
            self.whole, self.from_elsewhere = CONTENT, True
        if what == "wanted whole":
            self.wanted_whole = True

    def files_complete_multipart(
        self, upload_id: str, md5: str, etags: Mapping[int, str], *, about: str
    ) -> Sent:
        assert (md5, about.endswith("large")) == (md5_of(CONTENT), True)
        whole = b"".join(self.parts[number] for number in sorted(self.parts))
        if upload_id != str(self.upload) or whole != CONTENT:
            raise refused(400)
        assert etags == {number: f"{number}-{self.upload}" for number in self.parts}
        self.whole = whole
        self.completed += 1
        return sent(b"{}")

    def objects_put(
        self, url: str, body: Callable[[], io.RawIOBase], *, size: int, md5: str | None, about: str
    ) -> Sent:
        if not self.wanted_whole:
            raise refused(404)
        with body() as stream:
            self.whole = stream.read()
        return sent(b"")


def sent(content: bytes, **headers: str) -> Sent:
    return Sent(Answer(200, headers, content), Attempted(FILES_GET_UPLOAD_URLS, "store.test", 1))


class World:
    """One upload of one file, of which the test says who is done next."""

    def __init__(
        self, file: LocalFile, store: Store, memory: Memory | None, *, workers: int = WORKERS
    ) -> None:
        self.file, self.store, self.memory, self._workers = file, store, memory, workers
        others = [file]  # so that what is counted twice is seen
        self.meter = Meter([file, *others], None, lambda: 0.0)
        parts = cast("PartMemory | None", memory)
        self.context = UploadContext(cast(Calls, store), "film", Cancellation(), self.meter, parts)
        self.context.to_send.append(lambda: partial(begin, self.context, file, self.context.ask([file])))
        self.under_way: list[Then] = []

    def run(self, which: Callable[[int], int] = lambda _count: 0) -> None:
        """Until nothing is left to do. `which` of so many answers comes next; the last one may be another request."""
        for _ in range(ENOUGH):
            can_send = bool(self.context.to_send) and len(self.under_way) < self._workers
            if not can_send and not self.under_way:
                return
            number = which(len(self.under_way) + can_send)
            if number == len(self.under_way):
                self.under_way.append(self.context.to_send.popleft()())
            else:
                self.under_way.pop(number)()
        pytest.fail("it does not come to an end")

    @property
    def counted(self) -> tuple[int, int]:
        progress = self.meter.progress
        return progress.done_files, progress.done_bytes


def run_until_end(world: World, which: Callable[[int], int]) -> FixInputError | None:
    try:
        world.run(which)
    except FixInputError as error:
        return error
    return None


GOES_WRONG = (
    "expired",
    "dropped",
    "anew",
    "anew in larger parts",
    "anew in smaller parts",
    "anew by the same name",
    "there",
    "wanted whole",
)


@given(
    part_size=st.integers(1, 6),
    wrong=st.lists(st.sampled_from(GOES_WRONG) | st.none(), max_size=12),
    before=st.sets(st.integers(1, 11)),
    memory_is_right=st.booleans(),
    has_memory=st.booleans(),
    data=st.data(),
)
def test_whatever_happens_the_file_is_there_whole_or_there_is_an_error(
    file: LocalFile,
    part_size: int,
    wrong: list[str | None],
    before: set[int],
    memory_is_right: bool,
    has_memory: bool,
    data: st.DataObject,
) -> None:
    events = iter(wrong)
    store = Store(part_size, lambda: next(events, None))
    count = -(-len(CONTENT) // part_size)
    memory = Memory() if has_memory else None
    known = {number for number in before if number <= count} if memory else set()
    for number in known:
        assert memory is not None
        memory.kept.setdefault(("0", part_size), {})[number] = f"{number}-0"
        if memory_is_right:
            store.parts[number] = piece_of(number, part_size)
    world = World(file, store, memory)
    error = run_until_end(world, lambda count: data.draw(st.integers(0, count - 1)))
    assert error is None or sum(what is not None for what in wrong) > 1 or "dropped" in wrong
    check(world, error)


def check(world: World, error: FixInputError | None) -> None:
    """What holds at the end of every upload."""
    store, memory = world.store, world.memory
    assert not store.tried_again, "a URL that was refused is not tried again"
    if error is not None:
        assert not world.context.sent
        assert world.meter.done_files == 0
        assert store.completed == 0
        return
    assert store.whole == CONTENT
    assert world.counted == (1, len(CONTENT)), "once, and nothing beside it"
    assert memory is None or (str(store.upload), store.part_size) not in memory.kept
    assert store.completed == (not store.from_elsewhere and not store.wanted_whole)
    if store.from_elsewhere and store.wanted_whole:
        return  # it may have been sent whole before it was there
    assert world.context.sent == (set() if store.from_elsewhere else {world.file.path})
    assert world.context.bytes_sent == (0 if store.from_elsewhere else len(CONTENT))
    if store.completed:
        here = {
            number for upload, size, number in store.put if (upload, size) == (store.upload, store.part_size)
        }
        resumed = [piece_of(number, store.part_size) for number in store.parts if number not in here]
        assert world.context.bytes_resumed == sum(map(len, resumed))


def piece_of(number: int, part_size: int) -> bytes:
    return CONTENT[(number - 1) * part_size :][:part_size]


DICE = random.Random()
ORDERS: dict[str, Callable[[int], int]] = {
    "one after the other": lambda _count: 0,
    "the newest answer first": lambda count: count - 1,
    "as by dice": lambda count: DICE.randrange(count),
    "as by other dice": lambda count: DICE.randrange(count),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("second", [None, *GOES_WRONG])
def test_two_things_that_go_wrong_soon_after_each_other_are_made_good_or_told(
    file: LocalFile, order: str, second: str | None
) -> None:
    for first, before, between in product(GOES_WRONG, range(4), range(4)):
        DICE.seed(f"{order} {first} {before} {between} {second}")
        events = iter([*[None] * before, first, *[None] * between, second])
        store = Store(3, lambda events=events: next(events, None))  # type: ignore[misc]
        memory = Memory() if between % 2 else None
        if memory is not None and before % 2:
            memory.kept["0", 3] = {1: "1-0"}
            store.parts[1] = piece_of(1, 3)
        world = World(file, store, memory)
        error = run_until_end(world, ORDERS[order])
        assert error is None or second is not None or first == "dropped", (first, before)
        check(world, error)


def test_nothing_is_sent_twice_and_nothing_is_asked_for_where_nothing_goes_wrong(file: LocalFile) -> None:
    store = Store(part_size=4)
    world = World(file, store, None)
    world.run()
    assert [number for _, _, number in store.put] == [1, 2, 3]
    assert (store.asked, store.completed, world.context.bytes_resumed) == (1, 1, 0)


def last_first(count: int) -> int:
    """As much as possible is under way at once, and the newest answer comes first."""
    return count - 1


def test_parts_that_are_refused_together_are_asked_about_once(file: LocalFile) -> None:
    events = iter(["expired"] * 3)
    store = Store(part_size=4, happens=lambda: next(events, None))
    World(file, store, None).run(last_first)
    assert (store.asked, store.completed) == (2, 1)


@pytest.mark.parametrize("refusals", [1, 2, 3, 4])
def test_new_urls_are_asked_for_as_long_as_parts_get_through(file: LocalFile, refusals: int) -> None:
    """After each part the URLs of all the others have expired: slow, and no reason to give up."""
    events = iter(["expired", None] * refusals)
    store = Store(part_size=2, happens=lambda: next(events, None))
    World(file, store, None, workers=1).run()
    assert (store.asked, store.completed) == (1 + refusals, 1)


def test_urls_that_have_expired_cost_one_refusal_for_all_parts_that_wait(file: LocalFile) -> None:
    store = Store(part_size=1)
    seen: list[str] = []

    def expired_once() -> str | None:
        seen.append("asked")
        return "expired" if len(seen) == 1 else None

    store.happens = expired_once
    World(file, store, None, workers=1).run()
    assert (len(seen), store.asked, store.completed) == (len(CONTENT) + 1, 2, 1)


def test_new_urls_that_are_refused_at_once_are_no_help(file: LocalFile) -> None:
    store = Store(part_size=4, happens=lambda: "expired")
    with pytest.raises(RefusedError, match="still has the md5") as caught:
        World(file, store, None).run()
    assert (caught.value.status, store.asked) == (403, 2)


def test_a_file_that_is_wanted_whole_after_all_and_refused_again_is_asked_about_no_more(
    file: LocalFile,
) -> None:
    class Refusing(Store):
        def objects_put(self, url: str, body: Any, *, size: int, md5: str | None, about: str) -> Sent:
            raise refused(403)

    events = iter(["wanted whole"])
    store = Refusing(part_size=4, happens=lambda: next(events, None))
    with pytest.raises(RefusedError, match="still has the md5"):
        World(file, store, None, workers=1).run()
    assert store.asked == 2


@pytest.mark.parametrize(("size", "is_small"), [(10_000, True), (1_000_000, False)])
def test_small_files_may_be_handed_out_several_at_a_time(size: int, is_small: bool, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(size))
    (file,) = look_at([str(tmp_path / "f")])
    world = World(file, Store(part_size=4), None)
    world.context.to_send.clear()
    begin(world.context, file, UploadPlan(single=(SinglePart(file.path, f"{STORE}/whole/1"),)))
    (work,) = world.context.to_send
    assert isinstance(work, SmallWork) == is_small


def test_a_refusal_that_no_url_can_help_is_an_error_at_once(file: LocalFile) -> None:
    def too_large() -> None:
        raise refused(413)

    store = Store(part_size=4, happens=too_large)
    with pytest.raises(RefusedError) as caught:
        World(file, store, None).run()
    assert (caught.value.status, store.asked) == (413, 1)


def test_a_file_that_changed_is_named_with_both_md5s_whichever_part_was_refused(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(CONTENT)
    file = hash_file(str(path))

    def change() -> None:
        path.write_bytes(CONTENT[::-1] + b"!")
        raise refused(400)

    store = Store(part_size=4, happens=change)
    with pytest.raises(FileChangedError) as caught:
        World(file, store, None).run()
    assert (caught.value.expected, caught.value.actual) == (
        md5_of(CONTENT),
        md5_of(CONTENT[::-1] + b"!"),
    )


def test_what_was_sent_before_counts_from_the_beginning_and_is_told(
    file: LocalFile, caplog: pytest.LogCaptureFixture
) -> None:
    store, memory = Store(part_size=4), Memory()
    store.parts = {1: CONTENT[:4], 3: CONTENT[8:]}
    memory.kept["0", 4] = {1: "1-0", 3: "3-0"}
    world = World(file, store, memory)
    counted: list[int] = []

    def watching(count: int) -> int:
        counted.append(world.counted[1])
        return 0

    with caplog.at_level(logging.INFO):
        world.run(watching)
    assert [number for _, _, number in store.put] == [2]
    assert sorted(set(counted)) == [0, 7, 11]
    assert "7 bytes were sent before" in caplog.text


@pytest.mark.parametrize("what", ["anew", "anew in larger parts", "there", "wanted whole"])
def test_of_an_upload_that_is_over_nothing_is_remembered(file: LocalFile, what: str) -> None:
    memory = Memory()
    memory.kept["0", 4] = {1: "1-0"}
    events = iter([what])
    store = Store(part_size=4, happens=lambda: next(events, None), parts={1: CONTENT[:4]})
    world = World(file, store, memory, workers=1)
    world.run()
    check(world, None)
    assert memory.kept == {}


def test_what_a_slow_thread_counts_of_parts_that_are_no_more_is_taken_back(file: LocalFile) -> None:
    events = iter(["anew in larger parts"])
    world = World(file, Store(part_size=2, happens=lambda: next(events, None)), None, workers=9)
    turns = iter(range(1000))

    def which(count: int) -> int:
        turn = next(turns)
        if turn == 11:  # the new URLs were just taken: three parts instead of six
            world.meter.sending(f"{file.path}#6", 1)
        # All six are sent, the refusal of the first is taken, and new URLs are asked for and taken before the rest.
        return {8: 0, 9: count - 1, 10: count - 1}.get(turn, count - 1 if turn < 8 else 0)

    world.run(which)
    check(world, None)


def test_a_part_that_the_store_has_is_counted_whole_however_much_of_it_was_read(file: LocalFile) -> None:
    class Knowing(Store):
        def objects_put_part(self, url: str, body: Any, *, size: int, about: str) -> Sent:
            super().objects_put_part(url, body, size=size, about=about)
            world.meter.sending(f"{file.path}#{len(self.put)}", 0)  # as when it is not read to its end
            return sent(b"", ETag=f'"{len(self.put)}-0"')

    world = World(file, Knowing(part_size=4), None, workers=1)
    counted: list[int] = []

    def watching(_count: int) -> int:
        counted.append(world.counted[1])
        return 0

    world.run(watching)
    assert sorted(set(counted)) == [0, 4, 8, 11]


def test_a_part_is_remembered_before_its_answer_is_taken(file: LocalFile) -> None:
    """The client may be killed between the two."""
    store, memory = Store(part_size=4), Memory()
    world = World(file, store, memory)
    for _ in range(4):  # the question, then three parts
        work = world.context.to_send.popleft()()
        if not world.under_way:
            work()
        world.under_way.append(work)
    assert memory.kept == {("0", 4): {1: "1-0", 2: "2-0", 3: "3-0"}}


def test_parts_are_sent_in_their_order_again_too(file: LocalFile) -> None:
    events = iter(["expired", *[None] * 6, "expired"])
    store = Store(part_size=1, happens=lambda: next(events, None))
    turns = iter(
        range(1000)
    )  # all are sent before the first answer, and new URLs are asked for after the last
    World(file, store, None, workers=11).run(lambda count: count - 1 if next(turns) < 13 else 0)
    assert [number for _, _, number in store.put] == [2, 3, 4, 5, 6, 7, 9, 10, 11, 1, 8]


@pytest.mark.parametrize(("sent", "etag"), [('"ab1"', "ab1"), ("ab1", "ab1"), ('"XaX"', "XaX")])
def test_an_etag_is_what_stands_in_its_quotes(sent: str, etag: str) -> None:
    answered = Sent(Answer(200, {"ETag": sent}, b""), Attempted(OBJECTS_PUT_PART, "store.test", 1))
    assert etag_of(answered, 3, "/a") == etag


@pytest.mark.parametrize("etag", ["", '""'])
def test_a_part_without_an_etag_is_an_answer_that_breaks_the_protocol(etag: str) -> None:
    answered = Sent(Answer(200, {"ETag": etag}, b""), Attempted(OBJECTS_PUT_PART, "store.test", 1))
    with pytest.raises(UnexpectedAnswerError, match="no ETag for part 3 of /a"):
        etag_of(answered, 3, "/a")
    with pytest.raises(UnexpectedAnswerError):
        etag_of(Sent(Answer(200, {}, b""), answered.attempted), 3, "/a")
