"""The forty traps for a fake server (wire reference 9): one test each, on what the server does on the wire.

Most answers come from the app in this process and are held to the contract on the way. A socket is used where the trap
lies in framing, in waiting, or in many requests at once.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import requests

from conductor_contracts.contract import load as load_contract
from conductor_mock.api import downloads
from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Quotas, Settings
from support.served import PATIENCE_S, RawConnection, raw, said_by, served, token
from support.server import ORIGIN, Answer, ApiCaller, Fake, candidate, job_file, job_payload, md5_of, running

CONTENT = b"what is in the file"
BASE64_MD5 = re.compile(r"[A-Za-z0-9+/]{22}==")

DIALECTS: Mapping[str, Mapping[str, Any]] = {
    "a list of tasks": {},
    "a command with frames, by a client of 2019": {
        "tasks_data": ...,
        "instance_type": ...,
        "cores": 2,
        "machine_flavor": "standard",
        "command": "render <frame args>",
        "frame_range": "1-10",
        "chunk_size": "5",
    },
    "files without tasks": {"tasks_data": ..., "command": "upload only", "frame_range": "x"},
    "files that a daemon brings": {
        "local_upload": False,
        "upload_files": [{"destination": "/proj/a.ma", "md5": None, "st_size": 3}],
    },
}

SUBMISSIONS = pytest.mark.parametrize("fields", DIALECTS.values(), ids=DIALECTS.keys())


# --- Helpers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Server]:
    """A fake on a socket for the traps that only show there; it starts in milliseconds."""
    with Server(create_app(Settings(ephemeral=True, speed=0))) as started:
        yield started


@pytest.fixture
def session(server: Server) -> Iterator[requests.Session]:
    """A session with a token of the default account of `server`."""
    with requests.Session() as opened:
        opened.trust_env = False
        key = json.loads(server.environment()["CONDUCTOR_API_KEY"])
        opened.headers["Authorization"] = f"Bearer {token(opened, server.url, key)}"
        yield opened


def finished(caller: ApiCaller, tasks: int = 1, **fields: Any) -> str:
    """The id of a job all of whose tasks have succeeded, so that their outputs can be fetched."""
    entries = [{"command": f"render {number}", "frames": str(number)} for number in range(tasks)]
    jid = str(caller.submit(**{"tasks_data": entries, **fields}).json()["jobid"])
    clock(caller, until={"job": jid})
    return jid


def clock(caller: ApiCaller, **move: Any) -> None:
    """Let simulated time pass: `advance` seconds, or `until` something."""
    answer = caller.post("/_mock/clock", move)
    assert answer.status == 200, answer


def end(caller: ApiCaller, jid: str, tid: str, status: str = "success") -> None:
    assert caller.post(f"/_mock/jobs/{jid}/tasks/{tid}", {"status": status}).status == 200


def for_a_daemon(caller: ApiCaller, *paths: str, **fields: Any) -> str:
    """The id of a job that waits for a daemon to bring its files."""
    files = [job_file(path, CONTENT, md5=None) for path in paths or ("/proj/a.ma",)]
    answer = caller.submit(local_upload=False, upload_files=files, **fields)
    return str(answer.json()["jobid"])


def claimed(caller: ApiCaller) -> dict[str, Any]:
    answer = caller.request("PUT", "/uploads/client/next", body={"location": None})
    assert answer.status == 201, answer
    upload: dict[str, Any] = answer.json()["data"]
    return upload


def page(caller: ApiCaller, jid: str) -> list[dict[str, Any]]:
    """What the paged downloader is told of a job."""
    answer = caller.post(f"/jobs/{jid}/downloads", {"tids": None})
    assert answer.status in (201, 204), answer
    tasks: list[dict[str, Any]] = answer.json()["downloads"] if answer.status == 201 else []
    return tasks


def wanted(caller: ApiCaller, **contents: bytes) -> Answer:
    """The answer about a batch of files, `/proj/NAME` each."""
    batch = [candidate(f"/proj/{name}", content) for name, content in contents.items()]
    return caller.post("/api/v2/files/get_upload_urls", {"upload_files": batch, "project": "default"})


def options(caller: ApiCaller, **values: Any) -> None:
    """How the account's uploads are wanted: `provider`, `part_size`."""
    assert caller.post("/_mock/options", values).status == 200


def in_parts(caller: ApiCaller, content: bytes = CONTENT) -> dict[str, Any]:
    """The record of an upload in parts of eight bytes."""
    options(caller, part_size=8)
    (record,) = wanted(caller, a=content).json()["multiPartURLs"]
    return dict(record)


def put_parts(caller: ApiCaller, record: Mapping[str, Any], content: bytes = CONTENT) -> list[dict[str, Any]]:
    """Send each part as clients do: S3 style, in order; what the completing call wants to know."""
    size, completed = record["partSize"], []
    for part in record["parts"]:
        data = content[(part["partNumber"] - 1) * size :][:size]
        answer = s3_put(caller, part["url"], data)
        completed.append({"partNumber": part["partNumber"], "etag": answer.headers["ETag"].strip('"')})
    return completed


def s3_put(caller: ApiCaller, url: str, data: bytes) -> Answer:
    """A PUT with a plain body and no token."""
    anonymous = ApiCaller(caller.app, caller.client_id, caller.private_key)
    answer = anonymous.put(url, data, headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 200, answer
    return answer


def fetched(caller: ApiCaller, url: str) -> bytes:
    """The content behind a signed URL, asked for without a token."""
    with caller.app.test_client().get(target(url), base_url=ORIGIN) as response:
        assert response.status_code == 200, response
        return response.get_data()


def segments(jwt: str) -> list[bytes]:
    """The decoded parts of a token; fails where strict decoders do."""
    parts = jwt.split(".")
    decoded = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts]
    assert [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in decoded] == parts
    return decoded


def claims(caller: ApiCaller) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(segments(caller.token or "")[1])
    return found


def records(caller: ApiCaller, path: str) -> list[dict[str, Any]]:
    answer = caller.get(path)
    assert answer.status == 200, answer
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def assert_catalog_refused(caller: ApiCaller, change: Callable[[dict[str, Any]], None]) -> None:
    """A catalogue that sets the trap is not taken, so the server cannot come to serve it."""
    document = caller.get("/_mock/catalog").json()
    assert caller.put("/_mock/catalog", json.dumps(document).encode()).status == 200
    changed = deepcopy(document)
    change(changed)
    assert caller.put("/_mock/catalog", json.dumps(changed).encode()).status == 400


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode("latin-1")


def chunked(data: bytes, size: int = 7) -> bytes:
    """A body in chunks; of no bytes it is the terminating chunk alone."""
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(block), block) for block in blocks) + b"0\r\n\r\n"


def authorization(session: requests.Session) -> str:
    value = session.headers["Authorization"]
    assert isinstance(value, str)
    return f"Authorization: {value}"


def upload_url(session: requests.Session, url: str, content: bytes) -> str:
    """A signed URL of a served fake, which must not hold the content yet."""
    batch = {"upload_files": [candidate("/proj/a", content)]}
    answer = session.post(f"{url}/api/v2/files/get_upload_urls", json=batch, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["singlePartURLs"][0]["preSignedURL"])


def target(url: str) -> str:
    split = urlsplit(url)
    return f"{split.path}?{split.query}"


# --- The traps --------------------------------------------------------------------------------------------------


@SUBMISSIONS
def test_trap_01_a_submission_is_answered_201_and_nothing_else(fake: Fake, fields: Mapping[str, Any]) -> None:
    assert fake.caller().submit(**fields).status == 201


@SUBMISSIONS
def test_trap_02_the_answer_to_a_submission_is_a_json_object(fake: Fake, fields: Mapping[str, Any]) -> None:
    answer = fake.caller().submit(**fields)

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "body": "job submitted.",
        "jobid": "00001",
        "status": "success",
        "uri": "/jobs/00001",
    }


def test_trap_03_work_is_handed_out_with_201(fake: Fake) -> None:
    caller = fake.caller()
    jid = finished(caller)
    for_a_daemon(caller)

    assert caller.request("PUT", "/uploads/client/next", body={"location": None}).status == 201
    assert caller.post(f"/jobs/{jid}/downloads", {"tids": None}).status == 201
    assert caller.get(f"/downloads/{jid}").status == 201
    assert caller.get("/downloads/next", query={"count": 1}).status == 201


def test_trap_03_what_has_no_outputs_is_201_too_but_for_the_first_page_of_a_job_without_any(
    fake: Fake,
) -> None:
    """Wire reference 12.4: the vendor's downloader passes over the jobs after a 204."""
    caller = fake.caller()
    tasks = [{"command": "a", "frames": "1"}, {"command": "b", "frames": "2"}]
    jid = caller.submit(tasks_data=tasks).json()["jobid"]
    pages = f"/jobs/{jid}/downloads"

    for tids in (None, ["000"], []):
        nothing = caller.post(pages, {"tids": tids})
        assert (nothing.status, nothing.content) == (204, b"")
    behind = caller.post(pages, {"tids": None}, query={"start_cursor": "after-0"})
    assert (behind.status, behind.json()) == (201, {"downloads": [], "next_cursor": None})
    caller.post(f"/_mock/jobs/{jid}/tasks/000", {"status": "success"}, query={"account": caller.client_id})
    other = caller.post(pages, {"tids": ["001"]})
    assert (other.status, other.json()) == (201, {"downloads": [], "next_cursor": None})
    assert [task["task_id"] for task in caller.post(pages, {"tids": None}).json()["downloads"]] == ["000"]

    jid = caller.submit().json()["jobid"]
    assert (caller.get(f"/downloads/{jid}").status, caller.get(f"/downloads/{jid}").json()) == (
        201,
        {"downloads": []},
    )


@pytest.mark.parametrize("part_size", [8, 1000], ids=["in parts", "whole"])
def test_trap_04_every_value_about_wanted_files_is_a_list_of_records(fake: Fake, part_size: int) -> None:
    """The uploader loops over every value of the answer, whatever its name."""
    caller = fake.caller()
    options(caller, part_size=part_size)
    answer = wanted(caller, a=CONTENT).json()

    assert [type(value) for value in answer.values()] == [list, list]
    assert [record["filePath"] for value in answer.values() for record in value] == ["/proj/a"]


def test_trap_05_each_path_that_comes_back_is_of_the_batch_and_comes_once(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/elsewhere", b"held")
    caller.post("/api/v2/files/get_upload_urls", {"upload_files": [candidate("/proj/before", b"never sent")]})
    paths = ["/proj/b", "/proj/../a b", "C:/tex\\ü.png", "/proj/b", "/proj//b", "/PROJ/B"]
    batch = [candidate(path, CONTENT) for path in paths] + [candidate("/proj/held", b"held")]
    answer = caller.post("/api/v2/files/get_upload_urls", {"upload_files": batch}).json()

    returned = [record["filePath"] for value in answer.values() for record in value]
    assert sorted(returned) == sorted(set(paths))


def test_trap_06_an_upload_in_parts_says_the_size_of_the_file(fake: Fake) -> None:
    assert in_parts(fake.caller())["fileSize"] == len(CONTENT)


def test_trap_07_every_part_is_answered_with_an_etag(fake: Fake) -> None:
    caller = fake.caller()
    etags = [part["etag"] for part in put_parts(caller, in_parts(caller))]

    assert len(etags) == len(set(etags)) == 3
    assert all(etags)


@pytest.mark.parametrize("project", [None, "no such project", ...], ids=["null", "another", "missing"])
def test_trap_08_the_project_of_a_completed_upload_says_nothing(fake: Fake, project: Any) -> None:
    caller = fake.caller()
    record = in_parts(caller)
    body = {
        "uploadID": record["uploadID"],
        "hash": md5_of(CONTENT),
        "completedParts": put_parts(caller, record),
        **({} if project is ... else {"project": project}),
    }

    assert caller.post("/api/v2/files/multipart/complete", body).status == 200
    assert caller.files() == {"/proj/a": md5_of(CONTENT)}


FRAMINGS: Mapping[str, tuple[bytes, tuple[str, ...], bytes]] = {
    "chunked": (b"came in chunks", ("Transfer-Encoding: chunked",), chunked(b"came in chunks")),
    "chunked, of no bytes": (b"", ("Transfer-Encoding: chunked",), chunked(b"")),
    "with a length": (b"came whole", ("Content-Length: 10",), b"came whole"),
    "with a length of 0": (b"", ("Content-Length: 0",), b""),
    "with neither length nor bytes": (b"", (), b""),
}


@pytest.mark.parametrize(("content", "headers", "body"), FRAMINGS.values(), ids=FRAMINGS.keys())
def test_trap_09_an_upload_is_read_however_it_is_framed(
    server: Server, session: requests.Session, content: bytes, headers: tuple[str, ...], body: bytes
) -> None:
    url = upload_url(session, server.url, content)

    assert raw(server.port, head(f"PUT {target(url)}", *headers) + body, "PUT").status == 200
    (file,) = session.get(f"{server.url}/_mock/files", timeout=PATIENCE_S).json()["files"]
    assert file == {"path": "/proj/a", "md5": md5_of(content), "size": len(content)}


@pytest.mark.parametrize(
    "header", ["Bearer TOKEN", "Bearer nonsense", "Basic a2ltOmtpbQ==", "nonsense", None]
)
def test_trap_10_a_signed_url_asks_for_no_token_and_minds_none(fake: Fake, header: str | None) -> None:
    caller, anonymous = fake.caller(), fake.anonymous()
    part, *_ = in_parts(caller)["parts"]
    urls = {
        part["url"]: CONTENT[:8],
        caller.upload_url("/proj/small", b"small"): b"small",
    }
    sent = {} if header is None else {"Authorization": header.replace("TOKEN", str(caller.token))}

    assert [anonymous.put(url, data, headers=sent).status for url, data in urls.items()] == [200, 200]


def test_trap_11_the_text_of_a_url_says_the_style_that_is_meant(fake: Fake) -> None:
    """Clients search the URL for two words, and send in the style that these stand for."""
    caller = fake.caller("amazonaws coreweave")
    name = "amazonaws/coreweave.ma"
    for provider, is_s3 in (("gcs", False), ("s3", True)):
        options(caller, provider=provider, part_size=1000)
        (single,) = wanted(caller, **{name: b"small"}).json()["singlePartURLs"]
        options(caller, part_size=8)
        (multi,) = wanted(caller, **{name: CONTENT}).json()["multiPartURLs"]
        urls = [single["preSignedURL"], *(part["url"] for part in multi["parts"])]

        assert [bool(re.search("amazonaws|coreweave", unquote(url))) for url in urls] == [is_s3] * 4


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8089", "127.0.0.1", "farm.studio.example:80", "my_container:5000"]
)
def test_trap_12_the_audience_of_a_token_is_the_origin_that_the_client_used(fake: Fake, host: str) -> None:
    caller = fake.anonymous()
    answer = caller.get("/api/oauth_jwt", query=caller.key_query(), headers={"Host": host})
    aud = json.loads(segments(answer.json()["access_token"])[1])["aud"]

    assert aud == f"http://{host}"
    assert aud.rpartition("/")[2] == host


def test_trap_13_a_token_is_a_well_formed_jwt(fake: Fake) -> None:
    caller = fake.caller()
    header, payload, signature = segments(caller.token or "")

    assert isinstance(json.loads(header), dict)
    assert isinstance(json.loads(payload), dict)
    assert signature
    assert str(caller.token).startswith("eyJ")


def test_trap_14_people_are_told_127_0_0_1_and_never_localhost(tmp_path: Path) -> None:
    with served(tmp_path, "--host", "localhost") as started:
        said = "".join(started.output)
        told = [
            started.url,
            *(started.ready["env"][f"CONDUCTOR_{name}URL"] for name in ("", "API_", "AUTH_")),
        ]
        printed = said_by("env", "--data-dir", str(tmp_path / "data")).stdout
        with started.session() as session:
            told.append(upload_url(session, started.url, CONTENT))

        assert {urlsplit(url).hostname for url in told} == {"127.0.0.1"}
        assert f"at {started.url}\n" in said
        assert "localhost" not in said
        assert "//localhost" not in printed
        assert f"CONDUCTOR_URL={started.url}" in printed
    assert "//localhost" not in said_by("serve", "--help").stdout


@pytest.mark.parametrize("query", ["all=true,", "all=true%2C", "all=true", "all="])
def test_trap_15_the_odd_query_of_packages_changes_nothing(fake: Fake, query: str) -> None:
    caller = fake.caller()

    answer = caller.get("/api/v1/ee/packages", query=query)
    assert (answer.status, answer.content) == (200, caller.get("/api/v1/ee/packages").content)


def test_trap_16_packages_can_be_made_into_a_tree(fake: Fake) -> None:
    packages = records(fake.caller(), "/api/v1/ee/packages?all=true,")
    by_id = {package["package_id"]: package for package in packages}
    hosts = [package for package in packages if not package["plugin_host_product"]]
    assert hosts
    assert len(by_id) == len(packages)
    for package in packages:
        parts = [package[f"{part}_version"] for part in ("major", "minor", "release", "build")]
        assert all(part is None or isinstance(part, str) for part in parts), package
        version = ".".join(filter(None, parts))
        assert len(f"{package['product']} {version} {package['platform']}".split()) == 3, package
    for host in hosts:
        plugins = [by_id[one] for one in host["plugins"] if one in by_id]
        assert all(not plugin["plugins"] for plugin in plugins), "plugins of plugins break clients"


PACKAGE_TRAPS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "no platform": lambda package: package.pop("platform"),
    "a version that is a number": lambda package: package.update(major_version=4),
    "a space in the name": lambda package: package.update(product="acme render"),
    "a plugin of itself": lambda package: package.update(plugins=[package["package_id"]]),
}


@pytest.mark.parametrize("change", PACKAGE_TRAPS.values(), ids=PACKAGE_TRAPS.keys())
def test_trap_16_a_package_that_breaks_clients_is_never_served(
    fake: Fake, change: Callable[[dict[str, Any]], None]
) -> None:
    assert_catalog_refused(fake.caller(), lambda document: change(document["packages"][0]))


def test_trap_17_instance_types_can_be_sorted_and_shown(fake: Fake) -> None:
    machines = records(fake.caller(), "/api/v1/instance-types")

    assert machines
    assert len({type(machine["memory"]) for machine in machines}) == 1
    assert len({bool(machine.get("categories")) for machine in machines}) == 1
    for machine in machines:
        gpu = machine["gpu"]
        assert gpu is None or {"gpu_count", "gpu_model", "gpu_memory"} <= set(gpu), machine


def _without_model(document: dict[str, Any]) -> None:
    machine = next(one for one in document["instance_types"] if one["gpu"])
    del machine["gpu"]["gpu_model"]


MACHINE_TRAPS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "none": lambda document: document["instance_types"].clear(),
    "memory of two types": lambda document: document["instance_types"][0].update(memory=7.5),
    "a GPU without a model": _without_model,
}


@pytest.mark.parametrize("change", MACHINE_TRAPS.values(), ids=MACHINE_TRAPS.keys())
def test_trap_17_a_list_of_machines_that_breaks_clients_is_never_served(
    fake: Fake, change: Callable[[dict[str, Any]], None]
) -> None:
    assert_catalog_refused(fake.caller(), change)


def test_trap_18_the_account_id_of_an_environment_is_the_text_of_the_claim(fake: Fake) -> None:
    caller = fake.caller()
    (record,) = records(caller, "/api/v1/integrations/env-vars-configs")

    assert isinstance(record["account_id"], str)
    assert record["account_id"] == str(claims(caller)["account"])


@pytest.mark.parametrize("text", ["Uploader ERROR: it broke", '{"half":', "Traceback\n  File ü", "\udcff"])
def test_trap_19_the_reason_of_a_failed_upload_is_text_whatever_its_label(fake: Fake, text: str) -> None:
    caller = fake.caller()
    jid = for_a_daemon(caller)
    upload = claimed(caller)
    body = text.encode("utf-8", "surrogateescape")
    answer = caller.request("POST", f"/uploads/{upload['id']}/fail", data=body)

    assert answer.status == 200
    job = caller.get(f"/_mock/jobs/{jid}").json()
    assert (job["status"], job["status_description"]) == ("failed", body.decode("utf-8", "replace"))


def test_trap_20_the_files_of_a_hand_out_are_an_object_by_path(fake: Fake) -> None:
    caller = fake.caller()
    files = [job_file("/proj/a.ma", b"a", md5=None), job_file("/proj/b.ma", b"b")]
    caller.submit(local_upload=False, upload_files=files)

    assert claimed(caller)["upload_files"] == {"/proj/a.ma": None, "/proj/b.ma": md5_of(b"b")}


@pytest.mark.parametrize("name", ["bytes_transfered", "bytes_transferred"])
def test_trap_21_progress_is_read_as_the_uploaders_spell_it(fake: Fake, name: str) -> None:
    caller = fake.caller()
    jid = for_a_daemon(caller)
    upload = claimed(caller)
    body = {"upload_id": upload["id"], "transfer_size": 4096, name: 1024}

    assert caller.post(f"/uploads/{upload['id']}/update", body).status == 200
    shown = caller.get(f"/_mock/jobs/{jid}").json()["upload"]
    assert (shown["bytes_to_send"], shown["bytes_sent"]) == (4096, 1024)


def test_trap_22_a_download_is_not_offered_again_before_it_is_reported(fake: Fake) -> None:
    caller = fake.caller()
    finished(caller, tasks=3)
    first = caller.get("/downloads/next", query={"count": 2}).json()["data"]
    second = caller.get("/downloads/next", query={"count": 20}).json()["data"]
    given = [task["download_id"] for task in first + second]

    assert len(set(given)) == len(given) == 3
    assert caller.get("/downloads/next", query={"count": 20}).status == 204
    assert caller.get("/api/v1/fileio/downloader/next").json() == []
    for status, offered in (("downloading", []), ("pending", [given[1]]), ("downloaded", [])):
        report = {"download_id": given[1], "status": status}
        assert caller.post("/downloads/status", report).status == 200
        answer = caller.get("/downloads/next", query={"count": 20})
        again = answer.json()["data"] if answer.status == 201 else []
        assert [task["download_id"] for task in again] == offered


def test_trap_22_more_than_the_most_of_a_page_is_the_most(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_PAGE", 2)
    caller = fake.caller()
    jid = finished(caller, tasks=3)
    answer = caller.post(f"/jobs/{jid}/downloads", {}, query={"limit": "3"}).json()
    rest = {"limit": "3", "start_cursor": answer["next_cursor"]}
    second = caller.post(f"/jobs/{jid}/downloads", {}, query=rest).json()["downloads"]

    assert [task["task_id"] for task in answer["downloads"]] == ["000", "001"]
    assert [task["task_id"] for task in second] == ["002"]
    assert len(caller.get("/downloads/next", query={"count": "3"}).json()["data"]) == 2


def test_trap_23_no_download_is_without_files(fake: Fake) -> None:
    caller = fake.caller()
    frames = ["8", "1-3", "", "no frames at all", None]
    jid = finished(
        caller,
        tasks=len(frames),
        tasks_data=[{"command": f"render {number}", "frames": text} for number, text in enumerate(frames)],
    )
    other = caller.submit(tasks_data=[{"command": f"render {number}"} for number in range(3)]).json()["jobid"]
    clock(caller, advance=10)
    end(caller, other, "000", "failed")
    end(caller, other, "001", "killed")
    upload_only = caller.submit(**DIALECTS["files without tasks"]).json()["jobid"]
    offered = caller.get("/downloads/next", query={"count": 20}).json()["data"]

    assert [task["job_id"] for task in offered] == [jid] * len(frames)
    assert all(task["files"] for task in [*offered, *page(caller, jid)])
    assert page(caller, other) == page(caller, upload_only) == []


def test_trap_24_every_file_says_where_it_belongs(fake: Fake) -> None:
    caller = fake.caller()
    jid = finished(caller, output_path="/proj/out", job_title="two words")
    legacy = caller.get(f"/downloads/{jid}").json()["downloads"]
    offered = caller.get("/downloads/next").json()["data"]

    for task in [*page(caller, jid), *legacy, *offered]:
        for file in task["files"]:
            got = fetched(caller, file["url"])
            assert (file["job_id"], file["task_id"], file["output_dir"]) == (jid, "000", "/proj/out")
            assert (file["md5"], file["size"]) == (md5_of(got), len(got))


def test_trap_25_nothing_to_do_is_no_error(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/a", CONTENT)
    v1 = {"upload_files": {"/proj/a": md5_of(CONTENT)}}
    nothing = [
        wanted(caller, a=CONTENT),
        caller.post("/api/files/get_upload_urls", v1),
        caller.request("PUT", "/uploads/client/next", body={"location": None}),
        caller.get("/downloads/next", query={"count": 20}),
    ]

    assert [(answer.status, answer.content) for answer in nothing] == [(204, b"")] * 4


def test_trap_26_no_slash_is_put_right_by_a_redirect(fake: Fake) -> None:
    caller = fake.caller()
    for operation in load_contract().operations.values():
        path = re.sub(r"\{\w+\}", "1", operation.path)
        other = path.rstrip("/") if path.endswith("/") else f"{path}/"
        for spelling in (path, other, f"/{path}", f"/{other}"):
            answer = caller.request(operation.method, "/", environ={"PATH_INFO": spelling})
            assert not 300 <= answer.status < 400, (operation.id, spelling, answer)
            assert answer.status != 405, (operation.id, spelling, answer)


@pytest.mark.parametrize("path", ["/jobs/", "/jobs", "//jobs/"])
def test_trap_26_a_chunked_submission_arrives_at_any_spelling_of_its_path(
    server: Server, session: requests.Session, path: str
) -> None:
    body = json.dumps(job_payload(job_title=path)).encode()
    request = head(f"POST {path}", authorization(session), "Transfer-Encoding: chunked") + chunked(body, 100)

    assert raw(server.port, request, "POST").status == 201


def test_trap_26_a_chunked_upload_is_taken_where_two_slashes_came_together(
    server: Server, session: requests.Session
) -> None:
    content = b"sent to two slashes"
    url = upload_url(session, server.url, content)
    request = head(f"PUT /{target(url)}", "Transfer-Encoding: chunked") + chunked(content)

    assert raw(server.port, request, "PUT").status == 200


def usage_query(first: str, last: str) -> dict[str, str]:
    terms = [
        {"field": "start_time", "op": ">=", "value": first},
        {"field": "start_time", "op": "<", "value": last},
    ]
    return {"filter": json.dumps(terms), "group_by": '["start_time"]', "order_by": "start_time"}


def test_trap_27_usage_without_any_is_one_row_of_zeros(fake: Fake) -> None:
    (row,) = (
        fake.caller().get("/billing/get_usage", query=usage_query("2026-01-01", "2026-02-01")).json()["data"]
    )

    assert {row[name] for name in ("minutes", "cores", "license_cost", "instance_cost")} == {0}


def test_trap_28_times_of_usage_are_written_as_in_http(fake: Fake) -> None:
    caller = fake.caller()
    idle = caller.get("/billing/get_usage").json()["data"]
    finished(caller)
    used = caller.get("/billing/get_usage").json()["data"]

    for row in idle + used:
        datetime.strptime(row["start_time"], "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007 - as clients do


@pytest.mark.parametrize(("known", "has_more"), [("0", True), ("1000000", False)])
def test_trap_29_a_log_has_one_element_even_without_new_lines(fake: Fake, known: str, has_more: bool) -> None:
    caller = fake.caller()
    jid = finished(caller)
    answer = caller.get(f"/get_log_file?job={jid}&task=000&num_lines%5B%5D={known}").json()

    assert len(answer["logs"]) == len(answer["new_num_lines"]) == 1
    assert len(answer["logs"][0]["log"]) == answer["new_num_lines"][0]
    assert (answer["new_num_lines"][0] > 0) == has_more


def test_trap_30_next_and_status_are_no_job_ids(fake: Fake) -> None:
    caller = fake.caller()
    assert caller.get("/downloads/next").status == 204  # as a job id it would be 404
    jid = finished(caller)
    (task,) = caller.get("/downloads/next").json()["data"]

    report = {"download_id": task["download_id"], "status": "downloaded"}
    assert caller.post("/downloads/status", report).status == 200
    assert caller.get(f"/downloads/{jid}").status == caller.get(f"/downloads/{int(jid)}").status == 201


ODD_TYPES: Mapping[str, dict[str, Any]] = {
    "numbers as text": {"priority": "7", "chunk_size": "5", "max_instances": "0"},
    "nulls": {"priority": None, "chunk_size": None, "max_instances": None, "notify": None},
    "no e-mail addresses": {"notify": {"emails": None}},
    "no environment": {"environment": None, "metadata": None, "upload_files": None, "location": None},
}


@pytest.mark.parametrize("fields", ODD_TYPES.values(), ids=ODD_TYPES.keys())
def test_trap_31_numbers_may_be_texts_and_anything_may_be_null(fake: Fake, fields: dict[str, Any]) -> None:
    caller = fake.caller()
    answer = caller.submit(**fields)

    assert answer.status == 201
    payload = caller.get(f"/_mock/jobs/{answer.json()['jobid']}").json()["payload"]
    assert {name: payload[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("query", "strict"),
    [
        ("", True),
        ("filter=", True),
        ("", False),
        ("filter=", False),
        ("anything=else", False),
        ("x=%ff", False),
    ],
)
def test_trap_32_the_list_of_machines_is_always_answered(query: str, strict: bool) -> None:
    with running(strict=strict) as fake:
        answer = fake.caller().get("/api/v1/instance-types", query=query)

    assert answer.status == 200
    assert answer.json()["data"]


LONG: Mapping[str, tuple[str, str, str]] = {
    "a usual key": ("studio", "owner admin user", "127.0.0.1:8089"),
    "a long name": ("s" * 200, "owner admin user", "127.0.0.1:8089"),
    "a long scope": ("studio", "scope " * 1000, "127.0.0.1:8089"),
    "a long host": ("studio", "user", ".".join(["h" * 60] * 25)),
    "a name that JSON makes long": ("\U0001f3ac" * 200, "user", "127.0.0.1:8089"),
}


@pytest.mark.parametrize(("client_id", "scope", "host"), LONG.values(), ids=LONG.keys())
def test_trap_33_no_token_has_2000_bytes(fake: Fake, client_id: str, scope: str, host: str) -> None:
    caller = ApiCaller(fake.app, client_id, "k" * 3000)
    answer = caller.get(
        "/api/oauth_jwt", query={**caller.key_query(), "scope": scope}, headers={"Host": host}
    )

    if answer.status == 200:
        assert len(answer.json()["access_token"]) < 2000
    else:
        assert (answer.status, "2000 bytes" in answer.message) == (400, True)
        assert len(host) > 1000 or not client_id.isascii(), "a usual key was refused"


def test_trap_34_the_file_service_answers_json_always(fake: Fake) -> None:
    caller = fake.caller()
    assert caller.get("/api/v1/fileio/downloader/next").json() == []
    jid = finished(caller)
    (file,) = caller.get("/api/v1/fileio/downloader/next", query={"project": "default"}).json()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for verb in ("touch", "fail", "finish"):
        for one, status in (
            (file["download_file"]["id"], 200),
            (f"d{jid}-000-7.0", 410),
            (f"d{jid}-000-1.9", 410),
            ("nonsense", 404),
        ):
            path = f"/api/v1/fileio/downloader/{verb}/{one}"
            answer = caller.put(path, b"bytes_transferred=1&bytes_downloaded=1", headers=form)
            assert answer.status == status, (verb, one, answer)
            assert isinstance(answer.json(), dict)


def test_trap_35_a_renamed_file_is_not_asked_for_again(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/a", CONTENT)

    assert wanted(caller, renamed=CONTENT).status == 204
    assert wanted(caller, a=b"changed").status == 200
    assert caller.files() == {"/proj/a": md5_of(CONTENT), "/proj/renamed": md5_of(CONTENT)}


def md5s_in(value: Any) -> Iterator[str]:
    """Every md5 that a JSON value names as such."""
    if isinstance(value, list):
        for one in value:
            yield from md5s_in(one)
    if isinstance(value, dict):
        for name, one in value.items():
            if name in ("md5", "hash") and one is not None:
                yield one
            yield from md5s_in(one)


def test_trap_36_an_md5_is_base64_everywhere(fake: Fake) -> None:
    caller = fake.caller()
    jid = finished(caller)
    parts = in_parts(caller)
    (file,) = caller.get("/api/v1/fileio/downloader/next").json()
    caller.upload("/proj/s", b"small")
    answers = [parts, file, page(caller, jid), caller.get("/_mock/files").json()]
    found = [list(md5s_in(answer)) for answer in answers]

    assert all(found)
    assert all(BASE64_MD5.fullmatch(md5) for md5s in found for md5 in md5s)


def test_trap_36_a_hex_md5_is_refused_and_not_compared(fake: Fake) -> None:
    caller = fake.caller()
    digest = base64.b64decode(md5_of(CONTENT)).hex()
    batch = [{**candidate("/proj/a", CONTENT), "hash": digest}]
    url = caller.upload_url("/proj/a", CONTENT)

    assert caller.post("/api/v2/files/get_upload_urls", {"upload_files": batch}).status == 400
    assert caller.submit(upload_files=[job_file("/proj/a", CONTENT, md5=digest)]).status == 400
    assert caller.put(url, CONTENT, headers={"Content-MD5": digest}).status == 400
    assert caller.files() == {}


def test_trap_37_nobody_waits_for_a_client_that_stalls(server: Server, session: requests.Session) -> None:
    """Clients wait without end, so a body on its way must hold no lock that others want."""
    content = b"the first half and the second"
    put = head(f"PUT {target(upload_url(session, server.url, content))}", f"Content-Length: {len(content)}")
    job = json.dumps(job_payload()).encode()
    post = head("POST /jobs/", authorization(session), f"Content-Length: {len(job)}")
    stalled = [(put, content)] * 4 + [(post, job)] * 4
    with ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(server.port)) for _ in stalled]
        for connection, (start, body) in zip(connections, stalled, strict=True):
            connection.send(start + body[:10])

        url = upload_url(session, server.url, content)
        assert session.put(url, data=content, timeout=PATIENCE_S).status_code == 200
        jid = session.post(f"{server.url}/jobs/", json=job_payload(), timeout=PATIENCE_S).json()["jobid"]
        listed = session.get(f"{server.url}/api/v1/jobs", timeout=PATIENCE_S).json()["data"]
        assert listed[-1]["jid"] == jid

        # They stalled all the while: each is answered when the rest of it comes.
        for connection, (_, body) in zip(connections, stalled, strict=True):
            connection.send(body[10:])
        assert [connection.answer().status for connection in connections] == [200] * 4 + [201] * 4


@pytest.mark.parametrize("size", [2**63 - 1, 2**40, 30], ids=["as large as can be", "a terabyte", "30 bytes"])
def test_trap_37_a_file_of_any_size_is_answered_with_a_bounded_number_of_parts(size: int) -> None:
    """A declared size costs nothing to send, and one part for each eight bytes of it would never be answered."""
    with running(quotas=Quotas(account_bytes=2**64, bytes=2**64)) as fake:
        caller = fake.caller()
        options(caller, part_size=8)
        batch = [{**candidate("/proj/huge", CONTENT), "size": size}]
        answer = caller.post("/api/v2/files/get_upload_urls", {"upload_files": batch})
        (record,) = answer.json()["multiPartURLs"]

    count, part_size = len(record["parts"]), record["partSize"]
    assert 4 <= count <= 10_000
    assert (count - 1) * part_size < size <= count * part_size


def test_trap_38_bounds_of_a_job_filter_are_exclusive(fake: Fake) -> None:
    caller = fake.caller()
    for _ in range(4):
        caller.submit()

    assert [job["jid"] for job in caller.jobs(filter="jid_gt_00001,jid_lt_00003")] == ["00002"]
    assert [job["jid"] for job in caller.jobs(filter="jid_gt_00000,jid_lt_00005")] == [
        f"{number:05d}" for number in range(1, 5)
    ]


def test_trap_38_a_field_of_a_filter_may_hold_underscores(fake: Fake) -> None:
    caller = fake.caller()
    caller.submit()
    account_id = claims(caller)["account"]

    assert len(caller.jobs(filter=f"account_id_eq_{account_id}")) == 1
    assert caller.jobs(filter="account_id_eq_7") == []
    assert len(caller.jobs(filter=f"account_id_eq_{account_id},created_gt_2025-12-31")) == 1


def test_trap_39_batches_parts_and_reports_may_come_at_once(
    server: Server, session: requests.Session
) -> None:
    control = f"{server.url}/_mock"
    sent = {f"/proj/{number}": f"content {number // 2} in parts".encode() for number in range(40)}
    assert session.post(f"{control}/options", json={"part_size": 8}, timeout=PATIENCE_S).status_code == 200
    payload = job_payload(
        local_upload=False,
        upload_files=[job_file(path, data, md5=None) for path, data in sent.items()],
    )
    jid = session.post(f"{server.url}/jobs/", json=payload, timeout=PATIENCE_S).json()["jobid"]
    upload = session.put(f"{server.url}/uploads/client/next", json={}, timeout=PATIENCE_S).json()["data"]

    def post(path: str, body: Any) -> requests.Response:
        answer = requests.post(
            f"{server.url}{path}", json=body, headers=dict(session.headers), timeout=PATIENCE_S
        )
        assert answer.status_code in (200, 204), answer.text
        return answer

    def put(url: str, data: bytes) -> str:
        answer = requests.put(url, data=data, timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text
        return answer.headers["ETag"].strip('"')

    def bring(paths: list[str]) -> None:
        batch = [candidate(path, sent[path]) for path in paths]
        answer = post("/api/v2/files/get_upload_urls", {"upload_files": batch})
        for record in answer.json()["multiPartURLs"] if answer.status_code == 200 else ():
            data = sent[record["filePath"]]
            pieces = [(part, data[(part["partNumber"] - 1) * 8 :][:8]) for part in record["parts"]]
            with ThreadPoolExecutor(4) as parts:
                etags = list(parts.map(lambda piece: put(piece[0]["url"], piece[1]), pieces))
            completed = [
                {"partNumber": part["partNumber"], "etag": etag}
                for (part, _), etag in zip(pieces, etags, strict=True)
            ]
            body = {"uploadID": record["uploadID"], "hash": md5_of(data), "completedParts": completed}
            post("/api/v2/files/multipart/complete", body)

    def report(number: int) -> None:
        body = {"upload_id": upload["id"], "transfer_size": 1000, "bytes_transfered": number}
        post(f"/uploads/{upload['id']}/update", body)

    paths = list(sent)
    with ThreadPoolExecutor(8) as pool:
        under_way = [pool.submit(bring, paths[start : start + 5]) for start in range(0, len(paths), 5)]
        under_way += [pool.submit(report, number) for number in range(20)]
        for one in under_way:
            one.result()
    reported = {path: {"source": path, "md5": md5_of(data)} for path, data in sent.items()}
    post(f"/uploads/{upload['id']}/finish", {"upload_id": upload["id"], "upload_files": reported})

    job = session.get(f"{control}/jobs/{jid}", timeout=PATIENCE_S).json()
    files = session.get(f"{control}/files", timeout=PATIENCE_S).json()["files"]
    assert (job["upload"]["status"], job["status"]) == ("finished", "syncing"), job["status_description"]
    assert {file["path"]: file["md5"] for file in files if file["path"] in sent} == {
        path: md5_of(data) for path, data in sent.items()
    }


def test_trap_40_the_fake_sits_at_the_root_of_its_origin(server: Server, session: requests.Session) -> None:
    """A prefix in a configured URL is lost when clients join paths to it, so there must be none to lose."""
    assert urlsplit(server.url).path == ""
    joined = urljoin(f"{server.url}/prefix", "jobs/")
    assert session.post(joined, json=job_payload(), timeout=PATIENCE_S).status_code == 201
    prefixed = session.post(f"{server.url}/prefix/jobs/", json=job_payload(), timeout=PATIENCE_S)
    assert prefixed.status_code == 404

    url = upload_url(session, server.url, b"at the root")
    assert url.startswith(f"{server.url}/objects/")
