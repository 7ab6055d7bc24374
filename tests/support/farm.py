"""Both sides in one process: the client that a test drives, the fake that answers it, the disk that it keeps."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings

from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor.lib.config import Config
from conductor.lib.wire.transport import Transport
from conductor_mock.inprocess import in_process
from conductor_mock.settings import Settings
from support.contents import contents_in
from support.control import Control
from support.disk import write_tree

without_explanation = settings(phases=[phase for phase in Phase if phase is not Phase.explain])
"""For examples that go through both sides: to explain a failure takes hundreds of them more."""


@dataclass(frozen=True)
class Farm:
    """A fake in this process with its data in `data`, and the settings of a client that talks to it."""

    control: Control
    config: Config = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    data: Path

    def submit(self, arguments: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Submit as the document does: `Submit(args).main()`."""
        return Submit(arguments, config=self.config).main()

    def client(self) -> ApiClient:
        """A client that never waits between two attempts."""
        return patient_client(self.config)

    def stored(self) -> set[str]:
        """The hex md5s of everything that is stored."""
        return set(contents_in(self.data))

    def leftovers(self) -> list[Path]:
        """What unfinished uploads left behind."""
        return list((self.data / "incoming").iterdir())


@contextmanager
def farm(folder: Path, **settings: Any) -> Iterator[Farm]:
    """A farm for the length of the block, its data in `folder`/data, its clock frozen."""
    data = folder / "data"
    with in_process(Settings(data_dir=data, speed=0, **settings)) as fake:
        environment = fake.environment()
        config = Config.load(environ=environment, home=folder)
        yield Farm(Control(fake.url), config, environment, data)


class Place:
    """A farm, and a folder for the files of one example after another."""

    def __init__(self, opened: Farm, folder: Path) -> None:
        self.farm, self.folder = opened, folder

    def __repr__(self) -> str:  # short, since it stands in the report of every failing example
        return f"Place({self.folder})"

    def begin(self, tree: Mapping[str, bytes]) -> list[Path]:
        """Begin an example: a farm as new, and these as the only files in the folder."""
        self.farm.control.reset()
        self.farm.control.forget_journal()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        return write_tree(self.folder, tree)


def job(*upload_paths: Path | str, **more: Any) -> dict[str, Any]:
    """Valid arguments of a submission, with these paths to upload; `more` adds to them or replaces them."""
    return {
        "job_title": "bad luck",
        "project": "default",
        "instance_type": "n1-standard-2",
        "tasks_data": [{"command": "render -f 1", "frames": "1"}],
        "output_path": "/proj/out",
        "upload_paths": list(map(str, upload_paths)),
        **more,
    }


def patient_client(config: Config) -> ApiClient:
    """A client whose waits between two attempts take no time."""
    return ApiClient(config, transport=Transport(environ={}, sleep=lambda _: None))
