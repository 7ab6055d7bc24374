"""The client killed in the middle of whatever it does, then run again: complete, no half file, nothing sent twice."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conductor.cli import cli
from conductor.lib.conductor_submit import Submit
from conductor.lib.config import Config
from support.control import Control
from support.disk import facts, md5_of, write_tree
from support.farm import job
from support.programs import python, run
from support.rendering import md5s
from support.served import served

KILLED = str(Path(__file__).parents[1] / "support" / "killed.py")
FEW = (3, 11, 19)
ALL = tuple(number for number in range(1, 41) if number not in FEW)


def points() -> list[Any]:
    """The steps to die at: some here, all others in the long proof."""
    return [*FEW, *(pytest.param(number, marks=pytest.mark.prove) for number in ALL)]


@dataclass(frozen=True)
class Site:
    """A fake with a socket, its clock frozen, and a number for each example so that none sees another's jobs."""

    control: Control
    environment: dict[str, str]
    folder: Path

    def submit(self, *paths: Path, **more: Any) -> str:
        config = Config.load(environ=self.environment, home=self.folder)
        response, _ = Submit(job(*paths, **more), config=config).main()
        return str(response["jobid"])

    def ask(self, path: str, body: dict[str, Any]) -> None:
        self.control.ask("POST", f"/_mock/{path}", body)

    def render(self, folder: Path, location: str) -> str:
        """A job of four tasks that have succeeded."""
        tasks = [{"command": f"render -f {number}", "frames": str(number)} for number in range(4)]
        jid = self.submit(tasks_data=tasks, output_path=str(folder), location=location, job_title=location)
        self.ask("clock", {"advance": 60})
        for task in self.control.job(jid)["tasks"]:
            if task["status"] != "success":
                self.ask(f"jobs/{jid}/tasks/{task['tid']}", {"status": "success"})
        return jid

    def kill(self, step: int, *words: str) -> None:
        """Run ``conductor`` and kill it before this step; where it has fewer it ends as it would."""
        done = run(python(KILLED, "SIGKILL", str(step), *words), self.environment)
        assert done.returncode == -signal.SIGKILL or (step not in FEW and done.returncode == 0), done.stderr

    def rerun(self, *words: str) -> None:
        result = CliRunner().invoke(cli, ["--quiet", *words], env=self.environment)
        assert result.exit_code == 0, result.output

    def check_downloaded(self, jid: str, folder: Path) -> None:
        """Every output is there and right, nothing else is, and the service knows."""
        tasks = self.control.job(jid)["tasks"]
        assert [task["status"] for task in tasks] == ["downloaded"] * 4
        listed = {output["path"]: output["md5"] for task in tasks for output in task["outputs"]}
        assert md5s(folder) == listed != {}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with served(folder, "--speed", "0") as server:
        yield Site(Control(server.url), dict(server.ready["env"]), folder)


@pytest.fixture
def place(site: Site) -> Path:
    """A folder of the example's own."""
    return next(path for number in count() if not (path := site.folder / f"{number}").exists())


@pytest.mark.parametrize("step", points())
def test_a_download_that_was_killed_is_completed_by_the_next(site: Site, place: Path, step: int) -> None:
    jid = site.render(place, place.name)
    site.kill(step, "download", jid)
    half_way = {name: md5 for name, md5 in (md5s(place) if place.exists() else {}).items() if name[0] != "."}
    site.rerun("download", jid)
    site.check_downloaded(jid, place)
    assert half_way.items() <= md5s(place).items(), "what had a real name was right"


@pytest.mark.parametrize("step", [12, 25])
def test_a_download_that_is_interrupted_says_so_and_gives_back_what_it_did_not_finish(
    site: Site, place: Path, step: int
) -> None:
    jid = site.render(place, place.name)
    done = run(python(KILLED, "SIGINT", str(step), "--quiet", "download", jid), site.environment)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "conductor: interrupted\n")
    tasks = site.control.job(jid)["tasks"]
    whole = {name: md5 for name, md5 in md5s(place).items() if name[0] != "."}
    finished = [output for task in tasks if task["status"] == "downloaded" for output in task["outputs"]]
    assert {output["path"]: output["md5"] for output in finished}.items() <= whole.items()
    assert {task["status"] for task in tasks} <= {"success", "downloaded"}
    site.rerun("download", jid)
    site.check_downloaded(jid, place)


@pytest.mark.parametrize("step", points())
def test_what_a_downloader_daemon_was_handed_is_fetched_after_its_death(
    site: Site, place: Path, step: int
) -> None:
    jid = site.render(place, place.name)
    site.kill(step, "downloader", "--once", "--location", place.name)
    site.ask("clock", {"advance": 3601})
    site.rerun("downloader", "--once", "--location", place.name)
    site.check_downloaded(jid, place)


@pytest.mark.parametrize("step", points())
def test_what_an_uploader_daemon_had_claimed_is_brought_after_its_death(
    site: Site, place: Path, step: int
) -> None:
    contents = {f"{number}.ma": f"{place} {number}".encode() * 1000 for number in range(12)}
    files = write_tree(place, contents)
    jid = site.submit(*files, local_upload=False, location=place.name)
    site.kill(step, "uploader", "--once", "--location", place.name)
    site.ask("clock", {"advance": 121})
    site.rerun("uploader", "--once", "--location", place.name)
    assert site.control.job(jid)["upload"]["status"] == "finished"
    stored = site.control.files()
    assert {str(file): stored.get(str(file)) for file in files} == {str(file): facts(file) for file in files}
    sent = Counter(
        entry["path"].rpartition("/")[2]
        for entry in site.control.journal("objects.put")
        if entry["status"] == 200
    )
    assert max(sent.values()) == 1, "what was there was not sent again"
    assert len({md5_of(content) for content in contents.values()}) == len(files)
