"""What accounts hold, against a model: whatever was sent, made, declared and forgotten, in whatever order."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_mock.store.account_contents import AccountContents, Content, Inventory, UploadedFile
from conductor_mock.store.database import Database
from conductor_mock.store.objects import ObjectStore
from conductor_mock.wire.md5 import from_base64
from support.server import md5_of

ACCOUNTS = ("5001", "5002", "5003")
BODIES = (b"", b"a", b"bb", b"ccc")
PATHS = ("/a", "/b")


@dataclass
class Model:
    """What an account has."""

    uploads: dict[str, Content] = field(default_factory=dict)
    outputs: dict[str, Content] = field(default_factory=dict)
    declared: set[tuple[str, str]] = field(default_factory=set)  # md5 and path

    def files(self) -> list[UploadedFile]:
        held = [(path, self.uploads[md5]) for md5, path in self.declared if md5 in self.uploads]
        return sorted(
            (UploadedFile(path, content.md5, content.size) for path, content in held),
            key=lambda file: (file.path, file.md5),
        )

    def newest(self, path: str) -> str | None:
        held = [
            self.uploads[md5] for md5, declared in self.declared if declared == path and md5 in self.uploads
        ]
        return min(held, key=lambda content: (-content.t_us, content.md5)).md5 if held else None

    def inventory(self) -> Inventory:
        return Inventory(
            tuple(self.uploads[md5] for md5 in sorted(self.uploads)),
            tuple(self.outputs[md5] for md5 in sorted(self.outputs)),
            tuple(sorted(self.declared)),
        )


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ObjectStore, Database]]:
    folder = tmp_path_factory.mktemp("contents")
    with Database(f"sqlite:///{folder}/conductor.db") as database:
        yield ObjectStore(folder), database


accounts = st.sampled_from(ACCOUNTS)
bodies = st.sampled_from(BODIES)
steps = st.one_of(
    st.tuples(st.just("upload"), accounts, bodies),
    st.tuples(st.just("output"), accounts, bodies),
    st.tuples(st.just("declare"), accounts, st.dictionaries(st.sampled_from(PATHS), bodies)),
    st.tuples(st.just("forget"), accounts, st.none()),
    st.tuples(st.just("copy"), accounts, accounts),
)


DECLARED = ("declare", "5001", {"/a": b"bb", "/b": b"a"})


@example([("upload", "5001", b"a"), DECLARED, ("upload", "5002", b"bb")])
@example([("upload", "5001", b"a"), ("output", "5001", b"bb"), DECLARED, ("copy", "5002", "5001")])
@example([("upload", "5001", b"a"), DECLARED, ("forget", "5001", None), ("upload", "5001", b"a")])
@given(st.lists(steps, max_size=12))
def test_an_account_holds_what_it_was_given_and_nobody_elses_until_it_is_forgotten(
    opened: tuple[ObjectStore, Database], story: list[tuple[str, str, Any]]
) -> None:
    models = {account: Model() for account in ACCOUNTS}
    objects, database = opened
    contents = AccountContents(database, objects)
    try:
        for t_us, (what, account, value) in enumerate(story):
            mine = models[account]
            if what == "upload":
                md5 = md5_of(value)
                with objects.receive(io.BytesIO(value), md5=from_base64(md5), size=len(value)) as received:
                    contents.add_upload(account, received, t_us=t_us)
                mine.uploads.setdefault(md5, Content(md5, len(value), t_us))
            elif what == "output":
                made = contents.add_output(account, [value[:1], value[1:]], t_us=t_us)
                assert made == Content(md5_of(value), len(value), t_us)
                mine.outputs.setdefault(made.md5, made)
            elif what == "declare":
                contents.declare(account, [(path, md5_of(body)) for path, body in value.items()])
                mine.declared |= {(md5_of(body), path) for path, body in value.items()}
            elif what == "copy":  # as a bundle is replayed
                theirs = models[value]
                with database.write() as connection:
                    contents.add_inventory(connection, account, theirs.inventory())
                mine.uploads = {**theirs.uploads, **mine.uploads}
                mine.outputs = {**theirs.outputs, **mine.outputs}
                mine.declared |= theirs.declared
            else:
                contents.forget(account)
                models[account] = Model()
        for account, model in models.items():
            every = [md5_of(body) for body in BODIES]
            assert contents.held(account, every) == set(model.uploads)
            assert contents.held(account, []) == set()
            assert contents.inventory(account) == model.inventory()
            assert contents.files(account) == model.files()
            assert {path: contents.held_md5(account, path) for path in PATHS} == {
                path: model.newest(path) for path in PATHS
            }
            stored = [(one.t_us, one.size) for one in (*model.uploads.values(), *model.outputs.values())]
            assert sorted(contents.stored(account)) == sorted(stored)
        wanted = {md5 for model in models.values() for md5 in (*model.uploads, *model.outputs)}
        for body in BODIES:
            assert objects.has(hashlib.md5(body).digest()) == (md5_of(body) in wanted)
    finally:
        for account in ACCOUNTS:  # the next story begins with nothing
            contents.forget(account)
    assert not any(objects.has(hashlib.md5(body).digest()) for body in BODIES)
