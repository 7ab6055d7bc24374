"""A bundle: the same states, ids and outputs on another server, or a refusal that leaves the account as it was."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_mock.bundles import transfer
from conductor_mock.bundles.transfer import fingerprint
from conductor_mock.catalog import default as default_catalog
from conductor_mock.farm import tasks
from conductor_mock.farm.commands import OptionsChanged
from conductor_mock.farm.fold import SIMULATION_VERSION
from support.bundles import join, parts_of, replay, save, with_commands, with_lines, with_manifest
from support.contents import contents_in
from support.golden import FOLDER, replayed
from support.server import ApiCaller, Fake, ManualWall, job_file, job_payload, md5_of, running

SECRET = "the key of the studio"
RICH_SHA256 = "720b65d022cf0dcd0e4ef1451af199ba5a8e9fcda4d59efcd52c423325600983"


@pytest.fixture
def other() -> Iterator[Fake]:
    """Another server, begun years later."""
    wall = ManualWall()
    wall.step(3 * 366 * 24 * 3600)
    with running(wall=wall) as started:
        yield started


def busy(fake: Fake) -> ApiCaller:
    """An account with some of everything: files, jobs ended, running, held and killed, a rule, a catalogue, outputs."""
    caller = fake.caller()
    ask = {"account": caller.client_id}
    caller.upload("/proj/a.ma", b"scene")
    caller.post("/_mock/outcomes", {"match": {"frames": "2"}, "outcome": ["preempted", "success"]}, query=ask)
    caller.submit(
        tasks_data=[{"command": f"render {frame}", "frames": str(frame)} for frame in range(1, 5)],
        upload_files=[job_file("/proj/a.ma", b"scene")],
        autoretry_policy={"preempted": {"max_retries": 2}},
        notify={"emails": ["kim@example.com"]},
        metadata={"shot": "sq010"},
    )
    caller.post("/_mock/clock", {"until": "idle"}, query=ask)
    answer = caller.request("PUT", "/_mock/catalog", body=small_catalog(), query=ask)
    assert answer.status == 200, answer
    caller.submit(job_title="held", scout_frames="1", tasks_data=job_tasks(3))
    caller.submit(job_title="killed")
    caller.request("PUT", "/jobs_multi", body={"action": "kill", "jobids": ["00003"]})
    caller.submit(job_title="daemon", local_upload=False, upload_files=[job_file("/proj/b", b"b", md5=None)])
    caller.request("PUT", "/uploads/client/next", body={"location": None})
    caller.post("/_mock/clock", {"advance": 100}, query=ask)
    for tid in ("000", "001"):
        assert caller.get("/downloads/00001", query={"tid": tid}).status == 201
    return caller


def small_catalog() -> dict[str, Any]:
    document = default_catalog().to_document()
    alone = [package for package in document["packages"] if not package["plugins"]]
    return {**document, "projects": document["projects"][:1], "packages": alone[:3]}


def job_tasks(count: int) -> list[dict[str, str]]:
    return [{"command": f"render {frame}", "frames": str(frame)} for frame in range(1, count + 1)]


def shown(caller: ApiCaller) -> list[Any]:
    """Everything that is promised to be equal, as the API shows it."""
    ask = {"account": caller.client_id}
    logs = [caller.get(f"/get_log_file?job=00001&task=00{task}&num_lines[]=0").json() for task in range(4)]
    return [
        caller.get("/_mock/jobs", query=ask).json(),
        caller.get("/_mock/clock", query=ask).json()["now_us"],
        caller.get("/_mock/outcomes", query=ask).json(),
        [{**mail, "delivery": None} for mail in caller.get("/_mock/mails", query=ask).json()["mails"]],
        caller.get("/_mock/catalog", query=ask).json(),
        caller.jobs(),
        logs,
    ]


def state_of(fake: Fake, caller: ApiCaller) -> str:
    (account_id,) = [one for one in fake.service.accounts.ids() if name_of(fake, one) == caller.client_id]
    with fake.service.accounts.open(account_id) as account:
        return fingerprint(account.state)


def name_of(fake: Fake, account_id: str) -> str:
    with fake.service.accounts.open(account_id) as account:
        return account.state.client_id


def outputs_of(caller: ApiCaller, jid: str) -> dict[str, bytes]:
    """The bytes of every output of a job by path, fetched as a client does."""
    answer = caller.get(f"/downloads/{jid}")
    assert answer.status == 201, answer
    files = [file for record in answer.json()["downloads"] for file in record["files"]]
    found = {}
    for file in files:
        got = caller.get(file["url"])
        assert got.status == 200
        assert md5_of(got.content) == file["md5"]
        found[file["relative_path"]] = got.content
    return found


def test_a_replayed_account_has_equal_states_ids_and_outputs(fake: Fake, other: Fake) -> None:
    first = busy(fake)
    before = shown(first)
    answer = replay(other.anonymous(), save(first))
    second = other.caller(private_key=other.service.keys.private_key)  # one that was never here takes our key

    assert answer.status == 201, answer
    assert answer.json()["jobs"] == 4
    assert shown(second) == before
    assert outputs_of(second, "00001") == outputs_of(first, "00001")  # drawn before, and drawn only now


def test_a_replayed_account_stands_still_and_goes_on_as_the_first_one_would(fake: Fake, other: Fake) -> None:
    first = busy(fake)
    replay(other.anonymous(), save(first))
    second = other.caller(private_key=other.service.keys.private_key)
    ask = {"account": "studio"}
    other.wall.step(1000)
    frozen = second.get("/_mock/clock", query=ask).json()
    for caller in (first, second):
        caller.post("/_mock/clock", {"until": "idle"}, query=ask)
        caller.submit(job_title="one more")

    assert frozen["speed"] == 0
    assert shown(second) == shown(first)


def test_a_bundle_survives_a_restart_of_the_server_it_was_replayed_on(fake: Fake, tmp_path: Path) -> None:
    first = busy(fake)
    before = shown(first)
    with running(data_dir=tmp_path) as one:
        assert replay(one.anonymous(), save(first)).status == 201
    with running(data_dir=tmp_path) as again:
        second = again.caller(private_key=again.service.keys.private_key)
        assert shown(second) == before


def test_the_same_account_gives_the_same_bundle(fake: Fake, other: Fake) -> None:
    first = busy(fake)
    data = save(first)

    assert save(first) == data


def test_the_default_account_keeps_its_own_key(fake: Fake, other: Fake) -> None:
    first = fake.default_caller()
    first.submit()
    second = other.default_caller()  # it exists, and is empty

    assert replay(second, save(first)).status == 201
    assert other.default_caller().jobs() == second.jobs() == first.jobs()
    assert first.private_key not in save(first).decode("latin-1")


def test_uploads_are_in_the_bundle_when_they_are_asked_for(fake: Fake, other: Fake) -> None:
    first = busy(fake)
    without, whole = save(first), save(first, files="1")
    objects = {name for name in parts_of(without) if name.startswith("objects/")}
    assert replay(other.anonymous(), whole).json()["files"] == 1
    second = other.caller(private_key=other.service.keys.private_key)

    assert b"scene" in parts_of(whole).values()
    assert b"scene" not in parts_of(without).values()
    assert len(objects) == 2  # the outputs that were listed
    assert second.files() == first.files() == {"/proj/a.ma": md5_of(b"scene")}
    storage = "/billing/get_storage_usage?start=2026-01-01&end=2026-01-03"
    assert second.get(storage).json() == first.get(storage).json()


def test_uploads_that_are_not_in_the_bundle_are_wanted_again(fake: Fake, other: Fake) -> None:
    assert replay(other.anonymous(), save(busy(fake))).status == 201
    second = other.caller(private_key=other.service.keys.private_key)

    assert second.files() == {}
    assert second.upload_url("/proj/a.ma", b"scene")


def test_large_commands_and_accounts_of_their_own_catalog_come_along(fake: Fake, other: Fake) -> None:
    first = fake.caller()
    first.submit(tasks_data=job_tasks(3000))

    assert replay(other.anonymous(), save(first)).status == 201
    second = other.caller(private_key=other.service.keys.private_key)
    assert second.get("/_mock/jobs/00001", query={"account": "studio"}).json() == (
        first.get("/_mock/jobs/00001", query={"account": "studio"}).json()
    )


@pytest.mark.parametrize("what", ["job", "file", "rule", "catalogue"])
def test_an_account_that_is_not_empty_is_left_alone(fake: Fake, other: Fake, what: str) -> None:
    data = save(busy(fake))
    second = other.caller()
    ask = {"account": "studio"}
    if what == "job":
        second.submit()
    elif what == "file":
        second.upload("/a", b"a")
    elif what == "rule":
        second.post("/_mock/outcomes", {"outcome": "success"}, query=ask)
    else:
        second.request("PUT", "/_mock/catalog", body=small_catalog(), query=ask)
    before = state_of(other, second), stored(other)
    answer = replay(second, data)

    assert answer.status == 409
    assert what in answer.message
    assert "is not empty" in answer.message
    assert (state_of(other, second), stored(other)) == before
    second.post("/_mock/reset", query=ask)
    assert replay(second, data).status == 201


def jobs_of(fake: Fake, account_id: str) -> list[int]:
    with fake.service.accounts.open(account_id) as account:
        return list(account.state.jobs)


def stored(fake: Fake) -> set[str]:
    """The hex md5s of everything that is stored."""
    return set(contents_in(fake.service.directory))


def test_a_bundle_of_another_account_than_was_named_is_refused(fake: Fake, other: Fake) -> None:
    data = save(busy(fake))
    answer = replay(other.caller("somebody"), data, account="somebody")

    assert answer.status == 400
    assert "'studio' and cannot be replayed into 'somebody'" in answer.message
    assert replay(other.anonymous(), data, account="studio").status == 201
    assert replay(other.anonymous(), data, account="*").status == 400


def entry(name: str, content: bytes) -> Callable[[bytes], bytes]:
    return lambda data: join({**parts_of(data), name: content})


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda data: join({key: value for key, value in parts_of(data).items() if key != name})


def an_object(data: bytes) -> str:
    return next(name for name in parts_of(data) if name.startswith("objects/"))


def twice(data: bytes) -> bytes:
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("manifest.json", b"{}")
    return file.getvalue()


def bomb(data: bytes) -> bytes:
    """The commands are said to unpack to 2 GiB."""
    name = b"commands.jsonl"
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(name))  # its record in the directory at the end
    return data[: at + 24] + struct.pack("<I", (1 << 31) - 1) + data[at + 28 :]


def squeezed(data: bytes) -> bytes:
    """Contents that are compressed, as a bomb would be."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts_of(data).items():
            archive.writestr(name, content)
    return file.getvalue()


def overlapping(data: bytes) -> bytes:
    """Contents each of which holds the next one as its entry: a small file that unpacks to a large account."""
    manifest = json.loads(parts_of(data)["manifest.json"])
    manifest["with_files"], manifest["belongings"]["uploads"] = True, []
    content, inner = bytes(20_000), list[zipfile.ZipInfo]()
    for _ in range(9):
        entry_ = zipfile.ZipInfo("objects/" + hashlib.md5(content).hexdigest())
        entry_.file_size = entry_.compress_size = len(content)
        entry_.CRC = zlib.crc32(content)
        inner.append(entry_)
        header = entry_.FileHeader(zip64=False)
        manifest["belongings"]["uploads"].append({"md5": md5_of(content), "size": len(content), "t_us": 0})
        content = header + content
    manifest["belongings"]["uploads"].append({"md5": md5_of(content), "size": len(content), "t_us": 0})
    parts = {**parts_of(data), "manifest.json": json.dumps(manifest).encode()}
    outer = zipfile.ZipInfo("objects/" + hashlib.md5(content).hexdigest())
    file = io.BytesIO(join(parts))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(outer, content)
        start = outer.header_offset
        for entry_ in reversed(inner):
            start += len(outer.FileHeader(zip64=False))
            entry_.header_offset = start
            archive.filelist.append(entry_)
            archive.NameToInfo[entry_.filename] = entry_
    return file.getvalue()


def changed(index: int, **values: Any) -> Callable[[bytes], bytes]:
    """A bundle one of whose commands has other values in its JSON."""
    return lambda data: with_commands(data, lambda records: records[index]["json"].update(values))


def put(index: int, **values: Any) -> Callable[[bytes], bytes]:
    return lambda data: with_commands(data, lambda records: records[index].update(values))


def swapped(records: list[dict[str, Any]]) -> None:
    records[3]["t_us"], records[4]["t_us"] = records[4]["t_us"] + 1, records[3]["t_us"]


def kind(wanted: str, **values: Any) -> Callable[[bytes], bytes]:
    """A bundle whose first command of a kind has other values."""

    def change(records: list[dict[str, Any]]) -> None:
        next(one for one in records if one["kind"] == wanted)["json"].update(values)

    return lambda data: with_commands(data, change)


COMMAND_OF_2019 = {"job_title": "t", "instance_type": "m", "output_path": "/o", "command": "render"}
MACHINE = {"name": "m", "cores": 1, "price": 1, "preemptible_price": 1, "licence_price": 0, "speed": 100}

HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no zip": (lambda data: b"not a bundle", "cannot be read"),
    "empty": (lambda data: b"", "cannot be read"),
    "cut off": (lambda data: data[: len(data) // 2], "cannot be read"),
    "a flipped byte": (lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:], "cannot be read"),
    "no manifest": (without("manifest.json"), "has no manifest.json"),
    "no commands": (without("commands.jsonl"), "has no commands.jsonl"),
    "path traversal": (entry("../../etc/passwd", b"x"), "does not name its entry '../../etc/passwd'"),
    "absolute path": (entry("/etc/passwd", b"x"), "does not name its entry"),
    "an object too many": (entry("objects/" + "0" * 32, b"x"), "does not name its entry"),
    "an object missing": (lambda data: without(an_object(data))(data), "is missing"),
    "an object of another size": (
        lambda data: entry(an_object(data), b"x")(data),
        "must be stored as it is",
    ),
    "an object of another content": (
        lambda data: entry(an_object(data), bytes(len(parts_of(data)[an_object(data)])))(data),
        "the md5 of objects/",
    ),
    "an entry twice": (twice, "there twice"),
    "a bomb of commands": (bomb, "commands.jsonl unpacks to 2147483647 bytes"),
    "a bomb of contents": (squeezed, "must be stored as it is"),
    "contents in one another": (overlapping, "its contents overlap"),
    "other commands": (entry("commands.jsonl", b"{}\n"), "the sha256 of commands.jsonl"),
    "manifest is no JSON": (entry("manifest.json", b"{"), "manifest cannot be read"),
    "manifest is a list": (entry("manifest.json", b"[]"), "manifest cannot be read"),
    "deep manifest": (entry("manifest.json", b"[" * 100_000), "manifest cannot be read"),
    "another format": (lambda data: with_manifest(data, format="tar"), "format is 'tar'"),
    "a newer version": (lambda data: with_manifest(data, version=2), "upgrade to replay it"),
    "another simulation": (
        lambda data: with_manifest(data, simulation_version=99),
        "saved with simulation version 99",
    ),
    "an older simulation": (
        lambda data: with_manifest(data, simulation_version=SIMULATION_VERSION - 1),
        f"saved with simulation version {SIMULATION_VERSION - 1}",
    ),
    "version is a text": (lambda data: with_manifest(data, version="1"), "version must be a whole number"),
    "another account": (lambda data: with_manifest(data, client_id="x"), "is not that of client_id 'x'"),
    "another time": (lambda data: with_manifest(data, now_us=1), "do not make a history"),
    "a time to come": (
        lambda data: with_manifest(data, now_us=json.loads(parts_of(data)["manifest.json"])["now_us"] + 10**12),
        "come to another state",
    ),
    "another state": (lambda data: with_manifest(data, state_sha256="0"), "come to another state"),
    "too many commands": (lambda data: with_manifest(data, commands=3), "commands, the manifest says 3"),
    "no command at all": (
        lambda data: with_commands(data, lambda records: records.clear()),
        "does not open the account",
    ),
    "a command missing": (
        lambda data: with_commands(data, lambda records: records.pop(2)),
        "command 3 has the number 4",
    ),
    "commands out of order": (lambda data: with_commands(data, swapped), "do not make a history"),
    "opened twice": (
        lambda data: with_commands(data, lambda records: records[2].update(records[0], seq=3)),
        "do not make a history",
    ),
    "a newer command": (put(1, v=99), "saved by a newer conductor-mock"),
    "an unknown command": (put(1, kind="job.exploded"), "saved by a newer conductor-mock"),
    "a command without JSON": (put(1, json=None), "cannot be read"),
    "a time before the epoch": (put(1, t_us=-1), "the time -1"),
    "a time that is true": (put(1, t_us=True), "the time True"),
    "another client": (changed(0, client_id="x"), "does not open the account"),
    "options that no account can have": (
        changed(0, options={"simulation_version": 1, "catalog_sha256": "c", "seed": 1, "fleet": 0,
                            "provider": "aws", "part_size": 1, "release_scouts": True}),
        'options: /provider must be "gcs" or "s3", got "aws"',
    ),
    "options of other types": (
        changed(0, options={"simulation_version": 1, "catalog_sha256": 1, "seed": 1, "fleet": 0,
                            "provider": "gcs", "part_size": 1, "release_scouts": True}),
        "/options/catalog_sha256 must be str",
    ),
    "a job that no request could make": (kind("job.created", payload={"priority": []}), "job.created"),
    "a machine of speed 0": (kind("job.created", machine={**MACHINE, "speed": 0}), "machine out of its range"),
    "a machine with a text": (kind("job.created", machine={**MACHINE, "price": "1"}), "/machine/price must be int"),
    "a rule that cannot be meant": (kind("rules.changed", rules=[{"outcome": "x"}]), "a rule: /outcome"),
    "a catalogue that cannot be meant": (kind("catalog.replaced", document={"x": 1}), "the catalogue:"),
    "an action that is none": (kind("jobs.acted", action="explode"), "'explode' is not known"),
    "an action on a job that is none": (kind("jobs.acted", jobs=[99]), "is about job 99, and there are 3 jobs"),
    "a claim on a job without an upload": (kind("upload.claimed", job=1), "upload of job 1, which has none"),
    "outputs of a task that is none": (kind("outputs.listed", task=99, files=[]), "task 99 of job 1, which has 4"),
    "a run that never was": (
        put(3, kind="attempt.started", v=1, json={"job": 1, "task": 0, "attempt": 1, "run": "x"}),
        "which never ran for real",
    ),
    "a rule in another form than is kept": (kind("rules.changed", rules=[{"outcome": "failed"}]), "in which rules are"),
    "a job of impossible frames": (
        kind("job.created", payload={**COMMAND_OF_2019, "frame_range": "1-999999999"}),
        "frame_range: ",
    ),
    "a clock that goes back": (kind("clock.set", sim_us=1), "lies before"),
    "a number that is none": (
        lambda data: with_lines(data, lambda text: text.replace(b'"seq":2,', b'"seq":NaN,')),
        "NaN is not a JSON number",
    ),
    "a clock beyond time": (
        kind("clock.set", sim_us=10**18),
        "a clock out of its range",
    ),
    "an output that is not there": (
        kind("outputs.listed", files=[{"relative_path": "a", "md5": md5_of(b"a"), "size": 1}]),
        "is not in the bundle",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def two_fakes() -> Iterator[tuple[Fake, Fake]]:
    """Two servers for the examples of a property, whose accounts the other tests do not see."""
    with running(token_ttl_s=10**8) as first, running() as second:
        yield first, second


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.sampled_from(["plain", "scouts", "daemon", "preempted", "short"])),
        st.tuples(st.just("wait"), st.integers(0, 9000)),
        st.tuples(st.just("speed"), st.sampled_from([0, 1, 60])),
        st.tuples(st.just("act"), st.sampled_from(["kill", "hold", "unhold", "retry", "release_scouts"])),
        st.tuples(st.just("bring"), st.just(0)),
        st.tuples(st.just("fetch"), st.sampled_from(["downloading", "downloaded", "pending"])),
        st.tuples(st.just("look"), st.just(0)),
    ),
    max_size=14,
)
SUBMISSIONS: dict[str, dict[str, Any]] = {
    "plain": {"tasks_data": [{"command": "r"}] * 3, "preemptible": True, "notify": {"emails": ["kim@x"]}},
    "scouts": {"scout_frames": "1", "tasks_data": [{"command": "r", "frames": str(n)} for n in (1, 2)]},
    "daemon": {"local_upload": False, "upload_files": [job_file("/b", b"b", md5=None)]},
    "preempted": {
        "metadata": {"mock_outcome": "preempted,failed"},
        "autoretry_policy": {"preempted": {"max_retries": 1}, "failed": {"max_retries": 2}},
    },
    "short": {"metadata": {"mock_duration": "1"}},
}


def live(fake: Fake, caller: ApiCaller, step: str, value: Any) -> None:
    """One step in the life of an account; what its state does not allow is refused and changes nothing."""
    if step == "submit":
        caller.submit(**SUBMISSIONS[value])
    elif step == "wait":
        fake.wall.step(value)
    elif step == "speed":
        caller.post("/_mock/clock", {"speed": value}, query={"account": caller.client_id})
    elif step == "act":
        caller.request("PUT", "/jobs_multi", body={"action": value, "jobids": ["00001"]})
    elif step == "bring":
        caller.request("PUT", "/uploads/client/next", body={"location": None})
    elif step == "fetch":
        answer = caller.get("/downloads/next", query={"count": "2"})
        for record in answer.json()["data"] if answer.status == 201 else ():
            report = {"download_id": record["download_id"], "status": value}
            caller.post("/downloads/status", report)
    else:
        caller.jobs()


@settings(max_examples=15)
@given(STEPS)
def test_whatever_an_account_lived_through_its_bundle_is_taken(
    two_fakes: tuple[Fake, Fake], steps: list[tuple[str, Any]]
) -> None:
    """The fold of the commands alone comes to the state that was looked at now and then in between."""
    first, second = two_fakes
    caller = first.newcomer()
    for step, value in steps:
        live(first, caller, step, value)
    answer = replay(second.anonymous(), save(caller))

    assert answer.status == 201, answer
    replayed = second.caller(caller.client_id, second.service.keys.private_key)
    assert shown_jobs(replayed) == shown_jobs(caller)


def shown_jobs(caller: ApiCaller) -> Any:
    return caller.get("/_mock/jobs", query={"account": caller.client_id}).json()


@pytest.fixture(scope="module")
def bundle() -> bytes:
    with running() as fake:
        return save(busy(fake))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_is_refused_and_the_account_untouched(
    shared_fake: Fake, bundle: bytes, name: str
) -> None:
    change, reason = HOSTILE[name]
    answer = replay(shared_fake.anonymous(), change(bundle))

    assert answer.status == 400, answer
    assert reason in answer.message
    assert "the bundle was not replayed" in answer.message
    assert all(len(jobs_of(shared_fake, one)) == 0 for one in shared_fake.service.accounts.ids())
    assert stored(shared_fake) == set()


@settings(max_examples=60)
@given(
    where=st.floats(0, 1, exclude_max=True),
    which=st.floats(0, 1, exclude_max=True),
    value=st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 100),
        st.text(max_size=3),
        st.lists(st.integers(-1, 3), max_size=2),
    ),
)
def test_no_value_in_a_command_of_a_bundle_is_taken_for_a_defect(
    shared_fake: Fake, bundle: bytes, where: float, which: float, value: Any
) -> None:
    def change(records: list[dict[str, Any]]) -> None:
        record = records[int(where * len(records))]
        places = [(record, name) for name in record if name != "json"]
        places += [(record["json"], name) for name in record["json"]]
        holder, name = places[int(which * len(places))]
        holder[name] = value

    caller = shared_fake.anonymous()
    answer = replay(caller, with_commands(bundle, change))

    assert answer.status in (201, 400), (
        answer
    )  # another title, say, comes to the state that was saved no more
    if answer.status == 201:
        caller.post("/_mock/reset", query={"account": "*"})


@pytest.mark.parametrize("error", [AssertionError("x"), KeyError("x"), ValueError("x")], ids=repr)
def test_a_defect_of_the_fold_is_not_said_to_be_the_bundles(
    fake: Fake, bundle: bytes, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def defect(*_: object) -> None:
        raise error

    monkeypatch.setattr(transfer, "replay", defect)
    with pytest.raises(AssertionError, match=r"-> 500 .*a defect of conductor-mock"):
        replay(fake.anonymous(), bundle)


def test_a_defect_while_contents_are_stored_is_not_said_to_be_the_bundles(
    fake: Fake, bundle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object, **__: object) -> None:
        raise ValueError("x")

    monkeypatch.setattr(fake.service.objects, "put", defect)
    with pytest.raises(AssertionError, match=r"-> 500 .*a defect of conductor-mock"):
        replay(fake.anonymous(), bundle)


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.booleans())
def test_no_damage_to_a_bundle_is_a_defect_or_changes_what_it_says(
    shared_fake: Fake, bundle: bytes, where: float, flip: int, cut: bool
) -> None:
    """A byte that means nothing, such as a date of the archive, may differ."""
    at = int(where * len(bundle))
    damaged = bundle[:at] + (b"" if cut else bytes([bundle[at] ^ flip])) + bundle[at + 1 :]
    caller = shared_fake.anonymous()
    answer = replay(caller, damaged)

    assert answer.status in (201, 400), answer
    if answer.status == 201:
        (account_id,) = shared_fake.service.accounts.ids()
        assert len(jobs_of(shared_fake, account_id)) == 4
        caller.post("/_mock/reset", query={"account": "*"})
    assert stored(shared_fake) == set()


def test_a_defect_of_the_server_is_not_told_as_a_damaged_bundle(
    fake: Fake, bundle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise AssertionError("the fold is wrong")

    monkeypatch.setattr(tasks, "add", fails)
    with pytest.raises(AssertionError, match="the fold is wrong"):
        transfer.load(fake.service, io.BytesIO(bundle))

    assert fake.service.accounts.ids() == []


def test_the_hash_of_a_state_is_that_of_bundles_saved_before() -> None:
    """It is what a bundle promises, so bundles outlive changes of how a state is kept."""
    assert fingerprint(replayed(FOLDER / "rich.jsonl")) == RICH_SHA256


def test_the_bundle_that_hostile_ones_are_made_of_is_taken(bundle: bytes) -> None:
    with running() as fake:
        assert replay(fake.anonymous(), with_manifest(bundle)).status == 201


def test_a_disk_that_is_full_leaves_the_account_as_it_was(
    other: Fake, bundle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    second = other.caller()
    before = state_of(other, second)
    monkeypatch.setattr(other.service.contents, "add_inventory", full)
    answer = replay(second, bundle)

    assert answer.status == 507
    assert state_of(other, second) == before
    assert second.jobs() == []
    assert stored(other) == set()
    monkeypatch.undo()
    assert replay(second, bundle).status == 201


def test_a_bundle_must_say_what_it_is(fake: Fake, bundle: bytes) -> None:
    answer = fake.anonymous().request("POST", "/_mock/bundle", data=bundle)

    assert answer.status == 415
    assert "application/zip" in answer.message


def test_files_is_yes_or_no(fake: Fake) -> None:
    answer = fake.anonymous().get("/_mock/bundle", query={"files": "some"})

    assert answer.status == 400
    assert "files" in answer.faults


def test_an_account_that_is_new_again_has_no_old_catalog(fake: Fake) -> None:
    caller = fake.caller()
    ask = {"account": "studio"}
    document = default_catalog().to_document()
    names = []
    for count in (1, 2):
        projects = document["projects"][:count]
        caller.request("PUT", "/_mock/catalog", body={**document, "projects": projects}, query=ask)
        names.append(len(caller.get("/_mock/catalog", query=ask).json()["projects"]))
        caller.post("/_mock/reset", query=ask)

    assert names == [1, 2]


def test_jobs_of_a_bundle_are_those_of_the_payload_as_received(fake: Fake, other: Fake) -> None:
    first = fake.default_caller()
    payload = job_payload(metadata={"äöü": "\u2028"}, future_field={"deep": [1, None, 2.5]})
    first.post("/jobs/", payload)
    replay(other.anonymous(), save(first))

    assert other.default_caller().get("/_mock/jobs/00001").json()["payload"] == payload


def test_a_submission_that_is_sent_again_after_a_replay_makes_no_second_job(fake: Fake, other: Fake) -> None:
    first = fake.default_caller()
    key = {"Idempotency-Key": "once"}
    first.post("/jobs/", job_payload(), headers=key)
    replay(other.anonymous(), save(first))
    again = other.default_caller().post("/jobs/", job_payload(), headers=key)

    assert again.json()["jobid"] == "00001"
    assert len(other.default_caller().jobs()) == 1


def test_an_account_that_began_before_an_upgrade_is_not_saved_and_says_why(fake: Fake) -> None:
    caller = fake.default_caller()
    (account_id,) = fake.service.accounts.ids()
    with fake.service.accounts.open(account_id) as account:
        options = account.state.options
        account.append(OptionsChanged(replace(options, simulation_version=SIMULATION_VERSION - 1)))
    answer = caller.get("/_mock/bundle")

    assert answer.status == 409
    assert f"simulation version {SIMULATION_VERSION - 1}, this is {SIMULATION_VERSION}" in answer.message


def test_an_account_that_is_reset_while_it_is_saved_is_said_so(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = busy(fake)
    monkeypatch.setattr(fake.service.objects, "open", _gone)
    answer = caller.get("/_mock/bundle", query={"account": "studio"})

    assert answer.status == 409
    assert "was reset while it was being saved" in answer.message


def _gone(_: bytes) -> None:
    raise FileNotFoundError


def test_contents_that_another_reset_takes_away_meanwhile_undo_the_replay(
    other: Fake, bundle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other.service.objects, "put", lambda *_, **__: None)
    answer = replay(other.anonymous(), bundle)
    monkeypatch.undo()

    assert answer.status == 503
    assert other.service.accounts.ids() == []
    assert replay(other.anonymous(), bundle).status == 201


def test_a_bundle_may_be_larger_than_a_json_body(bundle: bytes) -> None:
    with running(max_json_bytes=len(bundle) // 2) as fake:
        assert replay(fake.anonymous(), bundle).status == 201
