"""What CI runs around the targets: packages that are missing, a PostgreSQL that may be, and what each suite took."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.namespaces import NAMESPACE, needs_namespaces
from support.programs import PATIENCE_S, ROOT, Finished, run

CI = ROOT / ".ci"
BASH = shutil.which("bash") or "bash"
PROGRAMS = {"chromium": "chromium", "bubblewrap": "bwrap", "postgresql": "pg_ctlcluster"}
"""Each package that the suite has a use for, and a program of it."""


def machine(folder: Path, programs: Mapping[str, str]) -> None:
    """A folder that is the whole PATH of a machine: its programs with what each does, in sh."""
    for name, does in programs.items():
        path = folder / name
        path.write_text(f"#!{BASH}\n{does}\n", encoding="utf-8")
        path.chmod(0o755)


def packages(folder: Path) -> Finished:
    return subprocess.run(
        [BASH, str(CI / "packages")],
        env={"PATH": str(folder)}, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


@given(
    there=st.sets(st.sampled_from(sorted(PROGRAMS))),
    root=st.booleans(),
    sudo=st.sampled_from(["none", "password", "free"]),
    apt=st.sampled_from(["none", "update fails", "install fails", "works"]),
)
@settings(max_examples=40)
def test_what_is_missing_is_installed_or_said_and_nothing_fails(
    there: set[str], root: bool, sudo: str, apt: str
) -> None:
    missing = [package for package in PROGRAMS if package not in there]
    with TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log"
        programs = {PROGRAMS[package]: "exit 0" for package in there}
        programs["id"] = f"echo {0 if root else 1000}"
        if apt != "none":
            fails = apt.partition(" ")[0] if apt.endswith("fails") else "nothing"
            programs["apt-get"] = f'echo "$*" >>{log}; case " $* " in *" {fails} "*) exit 100;; esac'
        if sudo != "none":
            programs["sudo"] = '[ "$1" = -n ] && shift; "$@"' if sudo == "free" else "exit 1"
            programs["true"] = "exit 0"
        machine(folder, programs)
        done = packages(folder)
        asked = log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    assert done.returncode == 0
    can = apt != "none" and (root or sudo == "free")
    if not missing:
        assert done.stdout == "nothing is missing\n"
        assert asked == []
    elif can and apt == "works":
        assert done.stdout == f"installed {' '.join(missing)}\n"
        assert asked[-1].endswith(f"--no-install-recommends {' '.join(missing)}")
    else:
        assert done.stderr.startswith(f"without {' '.join(missing)}, since ")
        assert "skipped" in done.stderr
        assert done.stdout == ""
        assert bool(asked) == can


def test_a_command_that_wants_postgresql_runs_without_one_too() -> None:
    needs_namespaces()
    hide = "if [ -d /usr/lib/postgresql ]; then mount -t tmpfs none /usr/lib/postgresql; fi"
    done = run([*NAMESPACE, f"{hide}; {CI}/postgres sh -c 'exit 7'"])
    assert (done.returncode, done.stderr) == (7, "no PostgreSQL here: its tests are skipped\n")


def test_suites_are_told_by_folder_the_slowest_first(tmp_path: Path) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(
        """<testsuites><testsuite>
        <testcase classname="tests.client.test_frames" name="a" time="0.25"/>
        <testcase classname="tests.client.test_frames" name="b" time="0.5"><skipped/></testcase>
        <testcase classname="tests.vendor.test_maya" name="c" time="2"><failure/></testcase>
        </testsuite></testsuites>""",
        encoding="utf-8",
    )
    done = run([str(CI / "suites"), str(report)])
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["2.0", "s", "1", "tests", "vendor"],
        ["0.8", "s", "2", "tests,", "1", "skipped", "client"],
    ]


@pytest.mark.parametrize("code", [0, 3])
def test_ci_ends_as_its_tests_did_and_says_what_each_step_took(code: int, tmp_path: Path) -> None:
    shutil.copytree(CI, tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    machine(tmp_path / "bin", {"make": f'[ "$1" != test ] || exit {code}', "apt-get": "exit 1"})
    machine(tmp_path / ".ci", {"postgres": '"$@"'})
    done = run([str(tmp_path / ".ci" / "run")], {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})
    assert done.returncode == code, done.stdout + done.stderr
    steps = [line for line in done.stdout.splitlines() if line.startswith("== ") and " took " in line]
    assert [step.partition(" took ")[0] for step in steps] == [
        "== .ci/packages",
        "== make check",
        "== make demo",
        "== .ci/postgres make test",
    ]


def test_ci_stops_where_a_check_fails(tmp_path: Path) -> None:
    shutil.copytree(CI, tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    machine(tmp_path / "bin", {"make": '[ "$1" != check ] || exit 2', "apt-get": "exit 1"})
    done = run([str(tmp_path / ".ci" / "run")], {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})
    assert done.returncode == 2
    assert "make demo" not in done.stdout
