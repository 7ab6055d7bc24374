"""Files that change before their upload or on the way, and one content that two upload at once."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conductor.lib.conductor_submit import Submit
from conductor.lib.exceptions import FileChangedError, RefusedError
from support.contents import contents_in
from support.control import Control
from support.disk import facts, md5_of, write_tree
from support.farm import job
from support.programs import PATIENCE_S, Finished, conductor, run
from support.proxy import Proxy, settings_for
from support.served import served

MIB = 1 << 20


class Spoiled:
    """Puts other bytes in the place of some that pass."""

    def __init__(self, precious: bytes, spoiled: bytes) -> None:
        assert len(precious) == len(spoiled)
        self._precious, self._spoiled = precious, spoiled

    def __call__(self, block: bytes) -> bytes:
        return block.replace(self._precious, self._spoiled)


def test_a_file_that_is_spoiled_on_the_way_is_refused_and_no_job_is_made(tmp_path: Path) -> None:
    (scene,) = write_tree(tmp_path, {"project/scene.ma": b"// precious\n"})
    with (
        served(tmp_path / "served") as server,
        Proxy(server.port, Spoiled(b"precious", b"Precious")) as proxy,
    ):
        config = settings_for(server, proxy.url, tmp_path)
        with pytest.raises(RefusedError) as caught:
            Submit(job(scene), config=config).main()
        control = Control(server.url)
        assert control.jobs() == []
        assert control.files() == {}
        stored = set(contents_in(tmp_path / "served" / "data").values())
    assert not {b"// precious\n", b"// Precious\n"} & stored
    message = str(caught.value)
    assert str(scene) in message
    assert md5_of(b"// precious\n") in message
    assert md5_of(b"// Precious\n") in message


class Rewritten:
    """Writes to a file while the server is asked where to put it."""

    def __init__(self, file: Path, content: bytes) -> None:
        self._file, self._content = file, content

    def __call__(self, block: bytes) -> bytes:
        if block.startswith(b"POST /api/v2/files/get_upload_urls"):
            self._file.write_bytes(self._content)
        return block


def test_a_file_that_is_written_to_before_its_upload_is_named_with_both_md5s(tmp_path: Path) -> None:
    (scene,) = write_tree(tmp_path, {"project/scene.ma": b"as it was"})
    with (
        served(tmp_path / "served") as server,
        Proxy(server.port, Rewritten(scene, b"as it is now")) as proxy,
    ):
        with pytest.raises(FileChangedError) as caught:
            Submit(job(scene), config=settings_for(server, proxy.url, tmp_path)).main()
        control = Control(server.url)
        assert control.jobs() == []
        assert control.files() == {}
    assert (caught.value.path, caught.value.expected, caught.value.actual) == (
        str(scene),
        md5_of(b"as it was"),
        md5_of(b"as it is now"),
    )


class HeldUntilBothPut:
    """Lets nobody put a body before two are about to."""

    def __init__(self) -> None:
        self._both = threading.Barrier(2)

    def __call__(self, block: bytes) -> bytes:
        if block.startswith(b"PUT "):
            self._both.wait(PATIENCE_S)
        return block


def test_two_processes_can_upload_one_content_at_once(tmp_path: Path) -> None:
    files = write_tree(tmp_path / "project", {name: os.urandom(3 * MIB) for name in ("a.abc",)})
    files += write_tree(tmp_path / "project", {"b.abc": files[0].read_bytes()})
    with served(tmp_path / "served") as server, Proxy(server.port, HeldUntilBothPut()) as proxy:
        environment = {
            **server.ready["env"],
            **dict.fromkeys(("CONDUCTOR_URL", "CONDUCTOR_API_URL", "CONDUCTOR_AUTH_URL"), proxy.url),
        }

        def upload(path: Path) -> Finished:
            return run(conductor("upload", "--json", str(path)), environment)

        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(upload, files))
        control = Control(server.url)
        assert [(finished.returncode, finished.stderr) for finished in both if finished.returncode] == []
        assert [json.loads(finished.stdout)["files"][0]["sent"] for finished in both] == [True, True]
        assert control.files() == {str(path): facts(path) for path in files}
        assert [entry["status"] for entry in control.journal("objects.put")] == [200, 200]
        assert len(control.journal("auth.token")) == 1, "the second process takes the token of the first"
        assert list((tmp_path / "served" / "data" / "incoming").iterdir()) == []
