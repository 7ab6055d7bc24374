"""What a task reaches in a sandbox: its own files, this machine's programs, and nothing else."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_mock.execution import processes, sandbox
from conductor_mock.execution.order import Limits, Order, Report, Sandbox
from conductor_mock.execution.recipe import make
from conductor_mock.execution.runner import run
from conductor_mock.execution.workspace import Workspace
from conductor_mock.farm.payload import UploadFile
from conductor_mock.farm.statuses import Outcome
from support.execution import SANDBOXES, eventually, executing, needs_sandbox

pytestmark = needs_sandbox
PYTHON = sys.executable
CLOSED = Sandbox()


def ordered(
    data: Path,
    command: str,
    files: Mapping[str, bytes] | None = None,
    *,
    output_path: str = "/proj/out",
    environment: Mapping[str, str] | None = None,
    wanted: Sandbox | None = CLOSED,
    **limits: float,
) -> Order:
    """An order in a data directory, as the server makes it of a job with these files."""
    contents = data / "objects"
    contents.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate((files or {}).values()):
        (contents / str(number)).write_bytes(content)
    where = {path: str(contents / str(number)) for number, path in enumerate(files or {})}
    uploads = [UploadFile(path, None, len(files[path]), None) for path in files or {}]  # type: ignore[index]
    recipe = make(uploads, output_path, environment or {}, created=(0, 0), sandbox=wanted)
    name = secrets.token_hex(8)
    workspace = Workspace(data / "executions" / name)
    workspace.create()
    workspace.log.touch()
    workspace.close()
    return recipe.order(
        workspace,
        command,
        run=name,
        source=lambda path, _: where[path],
        server=os.environ,
        limits=Limits(**{"grace_s": 5, **limits}),  # type: ignore[arg-type]  # numbers of either kind
    )


def said(order: Order) -> tuple[Report, list[str]]:
    """Run an order; how it ended, and what it printed."""
    report = run(order)
    lines = Workspace(order.folder).log.read_text(errors="replace").splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("$ "))
    return report, lines[start + len(order.command.splitlines()) :]


SECRET = "not-for-tasks"
NOT_READ = {
    "the keys": "cat {data}/keys.json",
    "the data directory": "cat {data}/*/* {data}/*",
    "another run": "cat {data}/executions/*/*",
    "a folder beside it": "cat {data}/../beside",
    "the same through its own root": "cat /proc/self/root{data}/keys.json",
    "the same through the first process": "cat /proc/1/root{data}/keys.json /proc/1/cwd/keys.json",
    "the server's environment": "cat /proc/*/environ | tr '\\0' '\\n'",
    "the server's memory map": "grep {data} /proc/*/maps /proc/*/mountinfo; cat /proc/{pid}/root{data}/keys.json",
    "what the server has open": "for file in /proc/*/fd/*; do [ -f $file ] && cat $file; done",
    "the home": "cat ~/.secret {home}/.secret",
    "by the way up": "cat ../../../../../../../../../..{data}/keys.json",
}


@pytest.mark.parametrize("what", NOT_READ)
def test_nothing_of_the_servers_user_can_be_read(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    data.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("A_SECRET", SECRET)
    for path in (data / "keys.json", tmp_path / "beside", home / ".secret"):
        path.write_text(SECRET)
    ordered(data, "true", {"/other": SECRET.encode()})
    command = NOT_READ[what].format(data=data, home=home, pid=os.getpid())
    with (data / "keys.json").open():
        report, lines = said(ordered(data, f"({command}) 2>&1; echo ran"))

    assert report.outcome == Outcome.SUCCESS
    assert lines[-1] == "ran"
    assert not [line for line in lines if SECRET in line]


def test_no_command_line_in_the_sandbox_names_a_folder_of_the_server(tmp_path: Path) -> None:
    """Nor is the file there any more by which bubblewrap was told of them."""
    one, every = (f"cat {path} | tr '\\0' '\\n'" for path in ("/proc/1/cmdline", "/proc/*/cmdline"))
    command = f"{one}; ls -l /proc/1/fd | grep -c memfd; {every}"
    report, lines = said(ordered(tmp_path, command, {"/proj/a.txt": b""}))

    assert "bwrap" in lines[0]
    assert "0" in lines
    assert not [line for line in lines if str(tmp_path) in line]
    assert report.outcome == Outcome.SUCCESS, report


NOT_WRITTEN = [
    "/x", "/usr/x", "/etc/x", "/dev/x", "/.conductor-mock/x", "/home/x", "/.conductor-mock/command.sh", "/opt/x",
    "/bin/x", "/var/x", "/run/x", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/mtrr", "/sys/x",
]  # fmt: skip
"""Opened to write and left alone: what could be written here would be the machine's."""


def test_nothing_can_be_written_but_the_tasks_own(tmp_path: Path) -> None:
    tries = "; ".join(f"(: >> {path}) 2> /dev/null && echo can write {path}" for path in NOT_WRITTEN)
    own = "echo x > /proj/out/x && echo x > /proj/new && echo x > $HOME/x && echo x > $TMPDIR/x && echo x > /tmp/x"
    report, lines = said(ordered(tmp_path, f"{tries}; {own} && echo own"))

    assert lines == ["own"]
    assert [made.path for made in report.made] == ["x"]


def test_there_are_no_rights_and_no_other_processes(tmp_path: Path) -> None:
    tries = "mount -t tmpfs none /proj; mknod /proj/out/disk b 8 0; chroot / true; kill -9 -1"
    command = (
        f"grep -h CapEff /proc/self/status; ls -d /proc/[0-9]* | wc -l; ({tries}) > /dev/null 2>&1; echo left"
    )
    _, lines = said(ordered(tmp_path, f"trap '' TERM; {command}"))

    assert lines[0].split() == ["CapEff:", "0000000000000000"]
    assert int(lines[1]) < 8, "bubblewrap's, the shell's, ls and wc"


@pytest.mark.parametrize("network", [False, True])
def test_the_network_is_there_only_when_it_was_asked_for(tmp_path: Path, network: bool) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        command = f"{PYTHON} -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 5)'"
        report, _ = said(ordered(tmp_path, command, wanted=Sandbox(network=network)))

    assert (report.outcome == Outcome.SUCCESS) == network


def test_a_path_through_its_own_root_is_the_tasks_own(tmp_path: Path) -> None:
    """Without a sandbox it is this machine's, and refused where the job's folders are there too."""
    command = "cd /proc/self && cat root/proj/a.txt && echo x > root/proj/out/x"
    report, lines = said(ordered(tmp_path, command, {"/proj/a.txt": b"own"}))

    assert lines == ["own"]
    assert [made.path for made in report.made] == ["x"]


def test_what_was_named_can_be_read_and_not_written(tmp_path: Path) -> None:
    share = tmp_path / "share"
    (share / "deep").mkdir(parents=True)
    (share / "deep" / "a").write_text("shared")
    wanted = Sandbox(readable=(str(share),))
    _, lines = said(
        ordered(tmp_path / "data", f"cat {share}/deep/a; echo; echo x > {share}/x", wanted=wanted)
    )

    assert lines[0] == "shared"
    assert "Read-only file system" in lines[1]


def test_a_readable_folder_that_holds_the_data_directory_hides_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "keys.json").write_text(SECRET)
    (tmp_path / "beside").write_text("beside")
    command = (
        f"cat {tmp_path}/beside; ls {data}; cat {data}/keys.json; echo x > {data}/x; find / -name keys.json"
    )
    _, lines = said(ordered(data, command, wanted=Sandbox(readable=(str(tmp_path),))))

    assert lines[0].startswith("beside")
    assert not [line for line in lines if line.endswith("/keys.json") and line.startswith("/")]
    assert SECRET not in " ".join(lines)
    assert not (data / "x").exists()


@given(depth=st.integers(0, 2), by_link=st.booleans(), named=st.sampled_from(
    ["above", "a link to above", "it", "a link to it", "a file of it"]
), beside=st.booleans())  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_the_data_directory_is_hidden_whatever_leads_to_it(
    depth: int, by_link: bool, named: str, beside: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(os.path.realpath(folder))
        above = root / "above"
        data = above.joinpath(*"ab"[:depth], "data")
        data.mkdir(parents=True)
        (data / "keys.json").write_text(SECRET)
        links = {"data": data, "link": data, "up": above}
        for name, target in links.items():
            (root / name).symlink_to(target)
        paths = {
            "above": above, "a link to above": root / "up", "it": data, "a link to it": root / "link",
            "a file of it": root / "link" / "keys.json",
        }  # fmt: skip
        inner = data.relative_to(above)
        tries = [data, root / "link", root / "up" / inner, Path(f"/.conductor-mock/machine{data}")]
        # The machine's programs, which were there before, are walked by the test above.
        find = "find / -path /usr -prune -o -name keys.json -print"
        command = "cat " + " ".join(f"{path}/keys.json" for path in tries) + f"; {find}; echo ran"
        files = {f"{paths[named]}/new/x": b"own"} if beside and named != "a file of it" else {}
        wanted = Sandbox(readable=(str(paths[named]),))
        _, lines = said(ordered(root / "data" if by_link else data, command, files, wanted=wanted))

    assert lines[-1] == "ran"
    assert SECRET not in " ".join(lines)
    assert not [line for line in lines if line.endswith("/keys.json") and line.startswith("/")]


PLACES = st.sampled_from([
    "/", "/proj", "/tmp", "/home/somebody", "/usr", "/usr/local", "/usr/bin", "/usr/lib", "/usr/nowhere/deep", "/opt",
    "/bin", "/lib", "/lib64", "/etc", "/etc/fonts", "/etc/ssl", "/var/tmp", "/root", sys.prefix, f"{sys.prefix}/bin",
    sys.base_prefix, str(Path(sys.prefix).parent), "/mnt/a b", "C:/proj", "/sys", "/run", "/srv/*", "/nix/store",
])  # fmt: skip
OWN = st.sampled_from(["a.txt", "deep/er/b.txt", "c d.txt", "é"])


@settings(max_examples=15)
@given(st.lists(st.tuples(PLACES, OWN), unique=True, max_size=6), PLACES, st.sampled_from(["", "/out"]))
def test_files_are_at_their_paths_wherever_these_are_and_programs_still_run(
    files: Sequence[tuple[str, str]], place: str, below: str
) -> None:
    """Also in folders of the machine's programs, of this Python, and of no meaning."""
    output = f"{place.rstrip('/')}{below or '/pictures'}"
    contents = {f"{folder.rstrip('/')}/{name}": f"<{folder}{name}>".encode() for folder, name in files}
    reading = "; ".join(f"cat '{path}'; echo" for path in contents)
    command = f"{reading or 'true'}; {PYTHON} -c 'print(1+1)'; echo x > '{output}/made.txt'"
    with tempfile.TemporaryDirectory() as data:
        order = ordered(Path(data), command, contents, output_path=output)
        report, lines = said(order)

    assert report.outcome == Outcome.SUCCESS, (report, lines)
    assert lines == [*(content.decode() for content in contents.values()), "2"]
    assert [made.path for made in report.made] == ["made.txt"]


@pytest.mark.parametrize("path", ["/proc/x", "/dev/x", "/.conductor-mock/x"])
def test_a_place_that_is_the_sandboxs_own_is_a_reason(tmp_path: Path, path: str) -> None:
    report = run(ordered(tmp_path, "true", {path: b""}))

    assert report.outcome == Outcome.FAILED
    assert "a job cannot have files in" in report.reason


def test_too_many_files_of_the_machine_beside_the_jobs_are_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MOST_NAMES", 3)
    report = run(ordered(tmp_path, "true", {"/usr/bin/tool": b""}))

    assert "beside too many of this machine in /usr" in report.reason


def test_links_in_the_output_folder_mean_what_they_meant_to_the_task(tmp_path: Path) -> None:
    command = "cd /proj/out; echo x > a; ln -s /proj/out/a whole; ln -s a short; ln -s /etc/passwd out"
    report, _ = said(ordered(tmp_path, command))

    assert [(made.path, made.place) for made in report.made] == [("a", "a"), ("short", "a"), ("whole", "a")]


def test_a_worker_without_bubblewrap_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = ordered(tmp_path, "true")
    monkeypatch.setenv("PATH", "/nowhere")

    assert "not installed" in run(order).reason
    assert "not installed" in sandbox.probe(Sandbox())


HIDDEN = """\
import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        time.sleep(1000)
    os._exit(0)
"""


def test_a_daemon_that_hides_ends_with_its_run(tmp_path: Path) -> None:
    """In a session of its own, without the mark of its run, and nobody's child."""
    command = f"env -i {PYTHON} -c '{HIDDEN}'; ps ax 2> /dev/null | grep -c hidden; echo ran"
    before = {process.pid for process in processes.all_processes()}
    report, lines = said(ordered(tmp_path, command))

    assert report.outcome == Outcome.SUCCESS
    assert lines[-1] == "ran"
    left = [process.pid for process in processes.all_processes() if process.pid not in before]
    asleep = [pid for pid in left if b"time.sleep(1000)" in _command_line(pid)]
    assert asleep == []


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("kind", SANDBOXES)
def test_a_task_hears_of_its_end_before_it_comes(tmp_path: Path, kind: str) -> None:
    with executing(tmp_path / "data", execute_sandbox=kind) as render:
        jid = render.start("trap 'echo I heard; exit 0' TERM; echo up; while :; do sleep 0.05; done")
        render.until_said(jid, "up")
        render.act("kill", jid)

        assert eventually(lambda: "killed" in render.log(jid)[-1])
        assert "I heard" in render.log(jid)


@pytest.mark.parametrize("kind", SANDBOXES)
def test_a_task_with_too_many_processes_is_ended_whole(tmp_path: Path, kind: str) -> None:
    order = ordered(
        tmp_path, "while :; do sleep 1000 & done", wanted=Sandbox() if kind != "none" else None, processes=40
    )
    report = run(order)

    assert report.reason == "it had more than 40 processes (--execute-processes)"
    assert processes.members(None, order.run) == []


HOLD = "import time; held = bytearray({size} << 20); print('held', flush=True); time.sleep({seconds})"


@pytest.mark.parametrize("kind", SANDBOXES)
def test_a_task_with_too_much_memory_fails_in_one_process_or_in_many(tmp_path: Path, kind: str) -> None:
    wanted = Sandbox() if kind != "none" else None
    most = 400 << 20
    one = f'{PYTHON} -c "{HOLD.format(size=600, seconds=0)}"'
    report, lines = said(ordered(tmp_path, one, wanted=wanted, memory=most))
    assert (report.outcome, report.exit_code) == (Outcome.FAILED, 1)
    assert "MemoryError" in lines[-1]

    each = f'{PYTHON} -c "{HOLD.format(size=90, seconds=1000)}"'
    report, _ = said(ordered(tmp_path, " & ".join([each] * 6) + "; wait", wanted=wanted, memory=most))
    assert report.reason == f"it used more than {most} bytes of memory (--execute-memory)"


def test_how_a_command_ends_is_told_as_it_is(tmp_path: Path) -> None:
    assert said(ordered(tmp_path, "exit 7"))[0].exit_code == 7
    killed, _ = said(ordered(tmp_path, "kill -SEGV $$"))
    assert killed.exit_code == 128 + signal.SIGSEGV
    assert killed.reason == "it was ended by SIGSEGV"
