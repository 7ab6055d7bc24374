"""The vendor's client in one process with several tests: each has its own account, and what it kept is put back."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from conductor_mock.testkit import Fake, mock_conductor
from conductor_mock.testkit.vendor import PACKAGE, SHORT_S, STATE
from vendor.environments import CURRENT
from vendor.environments import installed as vendor_installed

SUBMISSIONS = """
import json, tempfile
from pathlib import Path
from conductor_mock.testkit import mock_conductor

scene = Path(tempfile.mkdtemp(), "scene.ma")
scene.write_bytes(b"a scene")
seen = []
for _ in range(3):
    with mock_conductor() as fake:
        from ciocore import api_client, config, conductor_submit
        arguments = {
            "job_title": "shot", "project": "default", "instance_type": "n1-standard-2", "output_path": "/out",
            "tasks_data": [{"command": f"render {scene}", "frames": "1"}], "upload_paths": [str(scene)],
            "local_upload": True, "software_package_ids": [], "environment": {},
        }
        answer, status = conductor_submit.Submit(arguments).main()
        fake.assert_uploaded([scene])
        fake.assert_exactly_once()
        home = str(Path.home())
        seen.append([answer["jobid"], status, config.get()["user_dir"].startswith(home)])
print(json.dumps({"seen": seen, "user_dir": config.get(force=True)["user_dir"]}))
"""


@pytest.fixture
def fake_ciocore(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """Modules as `ciocore` has them, with what they keep."""
    modules = {}
    for name, names in STATE.items():
        module = modules[name] = ModuleType(f"{PACKAGE}.{name}")
        for kept in names:
            setattr(module, kept, f"own {kept}")
        monkeypatch.setitem(sys.modules, f"{PACKAGE}.{name}", module)
    return modules


def test_what_the_client_keeps_is_refreshed_and_put_back(fake_ciocore: dict[str, ModuleType]) -> None:
    before = {name: dict(vars(module)) for name, module in fake_ciocore.items()}
    with mock_conductor():
        assert vars(fake_ciocore["config"])["__config__"] is None
        assert vars(fake_ciocore["config"])["DEFAULT_USER_DIR"].startswith(str(Path.home()))
        assert vars(fake_ciocore["data"])["__data__"] == {}
        vars(fake_ciocore["config"])["__config__"] = "of this fake"
        with mock_conductor():
            assert vars(fake_ciocore["config"])["__config__"] is None
        assert vars(fake_ciocore["config"])["__config__"] == "of this fake"
    assert {name: dict(vars(module)) for name, module in fake_ciocore.items()} == before


def test_what_was_imported_in_a_test_is_as_new_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(f"{PACKAGE}.config")
    with mock_conductor():
        monkeypatch.setitem(sys.modules, f"{PACKAGE}.config", module)
        vars(module).update(__config__="of this fake", DEFAULT_USER_DIR=str(Path.home() / ".conductor"))
        inside = Path.home()
    assert vars(module)["__config__"] is None
    assert vars(module)["DEFAULT_USER_DIR"] == str(Path.home() / ".conductor") != str(inside / ".conductor")


@pytest.mark.parametrize(("waits", "expected"), [(False, SHORT_S), (True, 5)])
def test_only_its_own_waits_are_shortened(
    monkeypatch: pytest.MonkeyPatch, waits: bool, expected: float
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    own = time.sleep
    theirs = {"__name__": f"{PACKAGE}.uploader._uploader", "time": time}
    other = {"__name__": f"{PACKAGE}s", "time": time}
    with mock_conductor(vendor_waits=waits):
        exec("time.sleep(5); time.sleep(0.001)", theirs)
        exec("time.sleep(5)", other)
    exec("time.sleep(5)", theirs)
    assert slept == [expected, 0.001, 5, 5]
    assert time.sleep is own


@pytest.mark.parametrize(
    ("module", "ended_by", "is_told"),
    [
        (f"{PACKAGE}.worker", "exit()", False),
        (f"{PACKAGE}.worker", "raise SystemExit(1)", False),
        (f"{PACKAGE}.worker", "1 / 0", True),
        (f"{PACKAGE}s.worker", "raise SystemExit", True),
    ],
)
def test_a_thread_of_its_own_may_end_by_exit(
    monkeypatch: pytest.MonkeyPatch, module: str, ended_by: str, is_told: bool
) -> None:
    """As pytest has it, which tells of every exception that ends a thread."""
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    own = threading.excepthook
    with mock_conductor():
        thread = threading.Thread(target=exec, args=(ended_by, {"__name__": module}))
        thread.start()
        thread.join()
    assert bool(told) is is_told
    assert threading.excepthook is own


def test_a_fake_is_as_new_when_nothing_of_the_vendor_is_imported() -> None:
    @mock_conductor
    def work(fake: Fake) -> str:
        return fake.url

    assert work()  # type: ignore[call-arg]  # it is given the fake


@pytest.mark.slow
def test_it_submits_in_every_test_of_a_process() -> None:
    """The current one: those before want an older PyJWT than the fake, so they cannot be in one process with it."""
    site = next((vendor_installed(CURRENT).folder / "lib").glob("python*/site-packages"))
    program = f"import sys; sys.path.append({str(site)!r})\n{SUBMISSIONS}"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout.splitlines()[-1])
    assert answer["seen"] == [["00001", 201, True]] * 3
    assert answer["user_dir"] == str(Path.home() / ".conductor")
