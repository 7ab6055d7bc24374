"""Several servers on the same data, in one process: any of them may be asked, and all show the same."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.server import Answer, ApiCaller, Fake, ManualWall, running


@dataclass
class AnyOf(ApiCaller):
    """A caller whose every call goes to one of several servers, whichever comes."""

    others: Sequence[Fake] = ()
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._clients = [fake.app.test_client(use_cookies=False) for fake in self.others]

    def request(self, *args: Any, **options: Any) -> Answer:
        """One call, of one of them."""
        self._client = self.chance.choice(self._clients)
        return super().request(*args, **options)


def any_of(
    fakes: Sequence[Fake],
    client_id: str = "studio",
    private_key: str = "the key of the studio",
    *,
    seed: int = 1,
) -> AnyOf:
    """A caller of all these servers, with a token."""
    caller = AnyOf(fakes[0].app, client_id, private_key, others=fakes, chance=random.Random(seed))
    assert caller.sign_in().status == 200
    return caller


@contextmanager
def workers(
    directory: Path, wall: ManualWall | None = None, *, count: int = 2, **settings: Any
) -> Iterator[list[Fake]]:
    """So many servers on one data directory, for the length of the block."""
    wall = wall or ManualWall()
    with ExitStack() as stack:
        yield [
            stack.enter_context(running(wall, data_dir=directory, shared=True, **settings))
            for _ in range(count)
        ]
