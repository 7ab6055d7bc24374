"""The uploader and the downloader daemon, against the fake: locations, claims, failures, the way they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conductor.cli import cli
from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.daemons.downloader import HOLD_SECONDS, DownloaderDaemon
from conductor.lib.daemons.loop import Daemon
from conductor.lib.daemons.uploader import MOST_ATTEMPTS, UploaderDaemon, UploadOutcome
from conductor.lib.download.records import next_tasks
from conductor.lib.downloader import Downloader
from conductor.lib.exceptions import BusyError
from conductor.lib.progress import Progress
from support.disk import facts, md5_of, write_tree
from support.farm import Farm, job
from support.programs import conductor
from support.rendering import advance, md5s, outputs, render, statuses
from support.served import served


def command(farm: Farm, *words: str) -> Result:
    return CliRunner().invoke(cli, list(words), env=farm.environment)


def fault(farm: Farm, operation: str, status: int = 503, **more: Any) -> None:
    """Let requests of an operation fail."""
    rule = {"match": {"operation": operation}, "fault": {"kind": "status", "status": status}, **more}
    farm.control.ask("POST", "/_mock/faults", rule)


# Downloader


def test_the_downloader_fetches_everything_of_its_location_and_ends(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "mars", location="mars")
    render(here, tmp_path / "venus", location="venus")
    result = command(here, "downloader", "--once", "--location", "mars")
    assert result.exit_code == 0, result.output
    assert md5s(tmp_path / "mars") == outputs(here, "00001")
    assert not (tmp_path / "venus").exists()
    assert (statuses(here, "00001"), statuses(here, "00002")) == (["downloaded"] * 3, ["success"] * 3)


def test_without_a_job_download_is_the_daemon(
    here: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(here, tmp_path / "out")
    monkeypatch.setattr(Cancellation, "wait", lambda cancellation, seconds: cancellation.cancel())
    assert command(here, "download").exit_code == 0
    assert statuses(here) == ["downloaded"] * 3


def test_the_log_can_be_json_with_a_line_for_every_batch(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out")
    result = command(here, "downloader", "--once", "--log-format", "json")
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    (batch,) = [line for line in lines if line.get("event") == "batch"]
    assert (batch["fetched"], batch["kept"], batch["not_downloaded"]) == (3, 0, 0)
    assert [line["event"] for line in lines if line.get("event") in ("started", "ended")] == [
        "started",
        "ended",
    ]


def test_what_cannot_be_completed_is_held_back_and_then_given_back(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out", tasks=2)
    (tmp_path / "out").write_bytes(b"in the way")
    now = 0.0
    with here.client() as client:
        daemon = DownloaderDaemon(Downloader(client), Cancellation(), clock=lambda: now)
        assert daemon.work()
        assert not daemon.work(), "they are not offered again at once"
        (tmp_path / "out").unlink()
        now = HOLD_SECONDS - 1
        assert not daemon.work()
        now = HOLD_SECONDS
        assert daemon.work()
        daemon.close()
    assert statuses(here) == ["downloaded"] * 2
    assert md5s(tmp_path / "out") == outputs(here)


def test_what_is_held_back_is_given_back_at_the_end(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out", tasks=2)
    (tmp_path / "out").write_bytes(b"in the way")
    result = command(here, "downloader", "--once")
    assert result.exit_code == 1
    assert str(tmp_path / "out") in result.stderr
    with here.client() as client:
        assert len(next_tasks(client.calls)) == 2, "they are offered to others at once"


def test_a_downloader_that_is_stopped_gives_back_what_it_was_handed(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out", tasks=5)
    cancellation = Cancellation()

    def stop(progress: Progress) -> None:
        cancellation.cancel()

    with here.client() as client:
        ticks = iter(range(10**6))
        downloader = Downloader(client, clock=lambda: float(next(ticks)))
        daemon = DownloaderDaemon(downloader, cancellation, progress=stop)
        with pytest.raises(CancelledError):
            daemon.work()
        daemon.close()
    done = statuses(here).count("downloaded")
    with here.client() as client:
        assert len(next_tasks(client.calls)) == 5 - done


def test_while_the_store_is_away_the_daemon_waits_and_then_completes(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out", tasks=20)
    fault(here, "objects.get", times=10_000)
    with here.client() as client:
        daemon = DownloaderDaemon(Downloader(client), cancellation := Cancellation())
        with pytest.raises(BusyError):
            daemon.work()
        here.control.ask("DELETE", "/_mock/faults")
        daemon.close()
        Daemon(daemon.work, cancellation, wait=lambda _: None).run(once=True)
    assert statuses(here) == ["downloaded"] * 20
    assert md5s(tmp_path / "out") == outputs(here)


# Uploader


def submitted(farm: Farm, *paths: Path, **more: Any) -> str:
    """Submit a job whose files a daemon is to bring."""
    response, _ = farm.submit(job(*paths, local_upload=False, **more))
    return str(response["jobid"])


def test_the_uploader_brings_the_files_of_its_location_and_ends(here: Farm, tmp_path: Path) -> None:
    files = write_tree(tmp_path / "project", {"a.ma": b"a", "b.ma": b"b"})
    submitted(here, files[0], location="mars")
    submitted(here, files[1], location="venus")
    result = command(here, "uploader", "--once", "--location", "mars")
    assert result.exit_code == 0, result.output
    assert here.control.files() == {str(files[0]): facts(files[0])}
    assert here.control.job("00001")["upload"]["status"] == "finished"
    assert here.control.job("00002")["upload"]["status"] == "pending"


def test_every_job_that_waits_gets_its_files(here: Farm, tmp_path: Path) -> None:
    files = write_tree(tmp_path / "project", {f"{number}.ma": b"%d" % number for number in range(3)})
    for file in files:
        submitted(here, file)
    assert command(here, "uploader", "--once").exit_code == 0
    assert set(here.control.files()) == {str(file) for file in files}
    advance(here, 60)
    assert {one["status"] for one in here.control.jobs()} <= {"pending", "running", "success"}


def test_a_file_that_is_gone_fails_its_job_with_the_reason_and_the_next_is_brought(
    here: Farm, tmp_path: Path
) -> None:
    gone, good = write_tree(tmp_path / "project", {"gone.ma": b"a", "good.ma": b"b"})
    submitted(here, gone)
    submitted(here, good)
    gone.unlink()
    result = command(here, "uploader", "--once")
    assert result.exit_code == 1
    assert str(gone) in here.control.job("00001")["status_description"]
    assert here.control.job("00001")["status"] == "failed"
    assert here.control.job("00002")["upload"]["status"] == "finished"


@pytest.mark.parametrize("others", [0, 1, 60], ids=["alone", "beside one", "beside many"])
def test_of_a_job_whose_file_is_not_the_enforced_one_nothing_is_sent(
    here: Farm, tmp_path: Path, others: int
) -> None:
    """Whether the changed one comes first or last, with batches of others that are ready long before."""
    names = [f"{number:03}.ma" for number in range(others)]
    for changed in ("000000.ma", "zzz.ma"):
        files = write_tree(tmp_path / changed, {name: name.encode() for name in [*names, changed]})
        (scene,) = (file for file in files if file.name == changed)
        submitted(here, *files, enforced_md5s={str(scene): md5_of(changed.encode())})
        scene.write_bytes(b"as it is now")
        before = len(here.stored())
        command(here, "uploader", "--once")
        job = here.control.jobs()[-1]
        assert (job["status"], len(here.stored())) == ("failed", before)
        for part in (str(scene), md5_of(changed.encode()), md5_of(b"as it is now"), "nothing was sent"):
            assert part in job["status_description"]
        assert here.control.journal("files.get_upload_urls") == []


def test_a_file_that_is_the_enforced_one_is_sent(here: Farm, tmp_path: Path) -> None:
    files = write_tree(tmp_path / "project", {f"{number}.ma": b"%d" % number for number in range(30)})
    submitted(here, *files, enforced_md5s={str(files[29]): md5_of(files[29].read_bytes())})
    command(here, "uploader", "--once")
    assert here.control.job("00001")["upload"]["status"] == "finished"
    assert len(here.stored()) == 30


def test_a_claim_outlives_a_server_that_is_away_and_nothing_is_sent_twice(here: Farm, tmp_path: Path) -> None:
    files = write_tree(tmp_path / "project", {f"{number}.ma": b"%d" % number for number in range(3)})
    submitted(here, *files)
    fault(here, "objects.put", times=100, skip=1)
    brought: list[UploadOutcome] = []
    with here.client() as client:
        daemon = UploaderDaemon(client, Cancellation(), on_outcome=brought.append)
        with pytest.raises(BusyError):
            daemon.work()
        here.control.ask("DELETE", "/_mock/faults")
        assert daemon.work()
        daemon.close()
    assert [one.error for one in brought] == [None]
    put = [entry for entry in here.control.journal("objects.put") if entry["status"] == 200]
    assert len(put) == 3
    assert len(here.control.journal("uploads.next")) == 1


def test_a_server_that_stays_away_fails_the_job_in_the_end(here: Farm, tmp_path: Path) -> None:
    submitted(here, *write_tree(tmp_path / "project", {"a.ma": b"a"}))
    fault(here, "objects.put")
    failures = []
    with here.client() as client:
        daemon = UploaderDaemon(client, Cancellation())
        for _ in range(MOST_ATTEMPTS - 1):
            with pytest.raises(BusyError) as caught:
                daemon.work()
            failures.append(caught.value)
        assert daemon.work()
    assert here.control.job("00001")["status"] == "failed"
    assert "503" in here.control.job("00001")["status_description"]


def stopped(farm: Farm, **options: Any) -> None:
    """Run an uploader that is stopped in the middle of its first upload."""
    cancellation = Cancellation()
    with farm.client() as client:
        daemon = UploaderDaemon(client, cancellation, progress=lambda _: cancellation.cancel(), **options)
        with pytest.raises(CancelledError):
            daemon.work()
        daemon.close()


def test_the_claim_of_a_daemon_that_was_stopped_goes_to_another(here: Farm, tmp_path: Path) -> None:
    (scene,) = write_tree(tmp_path / "project", {"scene.ma": b"scene"})
    submitted(here, scene)
    stopped(here)
    assert here.control.job("00001")["upload"]["status"] == "claimed"
    advance(here, 121)
    assert command(here, "uploader", "--once").exit_code == 0
    assert here.control.job("00001")["upload"]["status"] == "finished"
    assert here.control.files() == {str(scene): facts(scene)}


def test_a_daemon_that_is_stopped_can_fail_the_job(here: Farm, tmp_path: Path) -> None:
    submitted(here, *write_tree(tmp_path / "project", {"scene.ma": b"scene"}))
    stopped(here, fail_on_stop=True)
    assert here.control.job("00001")["status"] == "failed"
    assert "stopped" in here.control.job("00001")["status_description"]


def test_an_upload_is_reported_while_it_lasts(here: Farm, tmp_path: Path) -> None:
    submitted(here, *write_tree(tmp_path / "project", {"a.ma": b"aaaa"}))
    ticks = iter(range(0, 10**6, 20))
    with here.client() as client:
        UploaderDaemon(client, Cancellation(), clock=lambda: float(next(ticks))).work()
    reports = [json.loads(entry["body"]["text"]) for entry in here.control.journal("uploads.update")]
    assert len(reports) >= 2
    assert {report["transfer_size"] for report in reports} == {4}
    assert (reports[0]["bytes_transfered"], reports[-1]["bytes_transfered"]) == (0, 4)


def test_paths_are_uploaded_at_once_as_the_old_spelling_asks(here: Farm, tmp_path: Path) -> None:
    (scene,) = write_tree(tmp_path / "project", {"scene.ma": b"scene"})
    assert command(here, "uploader", "--paths", str(scene)).exit_code == 0
    assert here.control.files() == {str(scene): facts(scene)}


@pytest.mark.parametrize("name", ["uploader", "downloader"])
def test_a_key_that_is_not_accepted_ends_a_daemon(here: Farm, name: str) -> None:
    here.submit(job())
    key = {**json.loads(here.environment["CONDUCTOR_API_KEY"]), "private_key": "of somebody else"}
    (Path.home() / ".config" / "conductor" / "api_key_credentials").unlink()
    environment = {**here.environment, "CONDUCTOR_API_KEY": json.dumps(key)}
    result = CliRunner().invoke(cli, [name], env=environment)
    assert result.exit_code == 3
    assert "Traceback" not in result.output


# As processes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ["uploader", "downloader"])
def test_a_daemon_that_waits_ends_in_order_by_a_signal(tmp_path: Path, name: str, number: int) -> None:
    with served(tmp_path / "served") as server:
        process = subprocess.Popen(
            conductor(name, "--log-format", "json"),
            env={**os.environ, **server.ready["env"]},
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stderr is not None
            lines = iter(process.stderr)
            seen = [json.loads(next(lines))]
            while seen[-1]["message"] != "waiting for work":
                seen.append(json.loads(next(lines)))
            process.send_signal(number)
            seen += [json.loads(line) for line in lines]
    assert process.returncode == 0
    assert [line.get("event") for line in seen] == ["started", "status", "ended"]
