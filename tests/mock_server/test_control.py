"""The control API: what it answers, to whom, and that no secret is shown."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_contracts.contract import load_control
from conductor_contracts.operation import JSON
from conductor_mock.context import service_of
from conductor_mock.store.journal import BODY_BYTES, Journal
from conductor_mock.version import version
from conductor_mock.wire.masking import MASK, mask_text
from support.server import Answer, ApiCaller, Fake, job_file, job_payload, md5_of, running

STUDIO = {"account": "studio"}
CALLS = [
    (one.method, one.path.format(jid="00001", tid="000"), next(iter(one.request_media_types), JSON))
    for one in load_control().operations.values()
    if one.authentication != "never"
]
"""Every call that there is, with the Content-Type that it wants, but for those that are open to all."""
OPEN = {"control.health.live": {"status": "alive"}, "control.health.ready": {"status": "ready"}}
"""Those, and all that they say: balancers know no name of this machine, and no token."""


def requests_of(caller: ApiCaller, **query: str) -> list[dict[str, Any]]:
    answer = caller.get("/_mock/requests", query={"account": caller.client_id, **query})
    found: list[dict[str, Any]] = answer.json()["requests"]
    return found


def clock(caller: ApiCaller, body: Any = None) -> Answer:
    query = {"account": caller.client_id}
    return (
        caller.get("/_mock/clock", query=query)
        if body is None
        else caller.post("/_mock/clock", body, query=query)
    )


def test_health_says_version_and_simulated_time(fake: Fake) -> None:
    assert fake.anonymous().get("/_mock/health").json() == {
        "status": "ok",
        "version": version(),
        "now": "2026-01-01T00:00:00Z",
    }
    caller = fake.caller()
    clock(caller, {"advance": 90})
    assert caller.get("/_mock/health", query=STUDIO).json()["now"] == "2026-01-01T00:01:30Z"
    assert caller.get("/_mock/health", query={"account": "*"}).json()["now"] == {
        "studio": "2026-01-01T00:01:30Z"
    }


def test_a_job_is_shown_with_its_payload_as_received(fake: Fake) -> None:
    caller = fake.caller()
    payload = job_payload(upload_files=[job_file("/proj/a.ma", b"scene", md5=None)], local_upload=False)
    caller.post("/jobs/", payload)
    record = caller.get("/_mock/jobs/00001", query=STUDIO).json()

    assert record == {
        "jid": "00001",
        "status": "upload_pending",
        "status_description": "waiting for an uploader daemon",
        "account": "studio",
        "created": "2026-01-01T00:00:00Z",
        "payload": payload,
        "tasks": [
            {
                "tid": "000",
                "status": "pending",
                "command": "render -f 8 /proj/a.ma",
                "frames": "8",
                "attempts": [],
                "outputs": [],
                "download": None,
            }
        ],
        "upload": {
            "local": False,
            "files": 1,
            "size": 5,
            "status": "pending",
            "bytes_to_send": 0,
            "bytes_sent": 0,
        },
        "warnings": [],
    }
    assert caller.get("/_mock/jobs", query=STUDIO).json() == {"jobs": [record]}
    assert caller.get("/_mock/jobs/1", query=STUDIO).json() == record


@pytest.mark.parametrize("jid", ["00002", "0", "-1", "x", "1.0", "\u0661", "9" * 30, "%00", "1%2F2"])
def test_a_job_that_is_not_there_is_404(shared_fake: Fake, jid: str) -> None:
    caller = shared_fake.newcomer()
    caller.submit()

    assert caller.get(f"/_mock/jobs/{jid}", query={"account": caller.client_id}).status == 404


def test_files_are_shown_by_path(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/b.ma", b"b")
    caller.upload("/proj/a.ma", b"aa")

    assert caller.get("/_mock/files", query=STUDIO).json()["files"] == [
        {"path": "/proj/a.ma", "md5": md5_of(b"aa"), "size": 2},
        {"path": "/proj/b.ma", "md5": md5_of(b"b"), "size": 1},
    ]


def test_requests_are_shown_oldest_first_with_question_and_answer(fake: Fake) -> None:
    caller = fake.caller()
    caller.submit(job_title="one")
    token, job = requests_of(caller)

    assert (token["operation"], job["operation"]) == ("auth.token", "jobs.create")
    assert job["id"] > token["id"]
    assert (job["method"], job["path"], job["status"]) == ("POST", "/jobs/", 201)
    assert json.loads(job["body"]["text"])["job_title"] == "one"
    assert json.loads(job["response"]["text"])["jobid"] == "00001"
    assert job["time"] == "2026-01-01T00:00:00.000+00:00"
    assert job["warnings"] == []
    assert job["duration_ms"] >= 0
    assert job["headers"]["Authorization"] == MASK


def test_requests_are_filtered(fake: Fake) -> None:
    caller = fake.caller()
    caller.submit()
    caller.jobs()
    caller.get("/api/v1/projects/")

    def paths(**query: str) -> list[str]:
        return [entry["path"] for entry in requests_of(caller, **query)]

    assert paths(method="POST") == ["/jobs/"]
    assert paths(path="/api/v1/") == ["/api/v1/jobs", "/api/v1/projects/"]
    assert paths(operation="jobs.list") == ["/api/v1/jobs"]
    assert paths(limit="2") == ["/api/v1/jobs", "/api/v1/projects/"]
    assert paths(method="POST", path="/api") == []


def test_control_calls_are_not_requests_to_the_service(fake: Fake) -> None:
    fake.anonymous().get("/_mock/health")
    fake.anonymous().get("/_mock/nowhere")

    assert fake.anonymous().get("/_mock/requests", query={"account": "*"}).json() == {
        "requests": [],
        "forgotten": 0,
    }


def test_requests_of_one_account_can_be_forgotten(fake: Fake) -> None:
    one, other = fake.caller("one"), fake.caller("other")
    assert one.delete("/_mock/requests", query={"account": "one"}).status == 204

    assert requests_of(one) == []
    assert len(requests_of(other)) == 1
    other.delete("/_mock/requests", query={"account": "*"})
    assert requests_of(other) == []


def test_a_streamed_body_is_known_by_its_size_and_md5(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"scene")
    (entry,) = requests_of(caller, operation="objects.put")

    assert entry["body"] == {"size": 5, "md5": md5_of(b"scene")}


def test_a_large_body_is_kept_in_part(fake: Fake) -> None:
    caller = fake.caller()
    caller.submit(metadata={"notes": "x" * 100_000})
    (entry,) = requests_of(caller, operation="jobs.create")

    assert len(entry["body"]["text"]) == BODY_BYTES
    assert entry["body"]["size"] > 100_000
    assert entry["body"]["whole"] is False


def test_the_journal_is_bounded(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", keep=200)
    for number in range(1000):
        journal.add(account="5001", operation=None, entry={"method": "GET", "path": f"/{number}"})
    found = journal.find(limit=10_000)
    journal.close()

    assert 200 <= len(found) < 300
    assert found[-1]["path"] == "/999"


ACCOUNTS = st.sampled_from(["5001", "5002", None])


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(st.tuples(st.just("clear"), ACCOUNTS), st.tuples(st.integers(1, 150), ACCOUNTS)),
        max_size=12,
    )
)
def test_the_journal_knows_how_many_of_each_account_had_to_make_room(
    story: list[tuple[int | str, str | None]],
) -> None:
    journal = Journal(None, keep=100)
    asked = dict.fromkeys(["5001", "5002", None], 0)
    for what, account in story:
        if what == "clear":
            journal.clear(account)
            asked = {name: 0 if account in (name, None) else number for name, number in asked.items()}
            continue
        for _ in range(int(what)):
            journal.add(account=account, operation=None, entry={"method": "GET", "path": "/"})
        asked[account] += int(what)
    kept = {name: len(journal.find(account=name, nobodys=name is None, limit=10_000)) for name in asked}
    forgotten = {name: journal.forgotten(name) for name in ("5001", "5002")}
    total = journal.forgotten()
    journal.close()

    assert {name: asked[name] - kept[name] for name in forgotten} == forgotten
    assert sum(asked.values()) - sum(kept.values()) == total


def test_the_journal_is_read_a_page_at_a_time_and_says_what_it_has_forgotten(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        caller = fake.newcomer()
        journal = service_of(fake.app).journal
        journal._keep = 100
        for _ in range(230):
            caller.get("/api/v1/jobs")
        pages = [requests_of(caller, limit="40")]
        while pages[-1]:
            pages.append(requests_of(caller, limit="40", before=str(pages[-1][0]["id"])))
        ids = [entry["id"] for page in reversed(pages) for entry in page]
        answer = (
            fake.anonymous().get("/_mock/requests", query={"account": caller.client_id, "limit": "1"}).json()
        )
    assert ids == sorted(set(ids))
    assert (len(answer["requests"]), answer["forgotten"] + len(ids)) == (1, 231)  # one was for the token
    with running(data_dir=tmp_path) as fake:
        again = fake.anonymous().get("/_mock/requests", query={"account": caller.client_id}).json()
    assert again["forgotten"] == answer["forgotten"] > 0


@pytest.mark.parametrize("damage", [b"this is no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_journal_is_begun_again(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not synced, so a power cut may break it; it holds no state."""
    with running(data_dir=tmp_path) as fake:
        fake.caller().submit()
    (tmp_path / "journal.db").write_bytes(damage)

    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        assert len(caller.jobs()) == 1
        assert len(requests_of(caller)) == 2
    assert "is damaged" in caplog.text


SECRETS = ["the private key's line", "a token of the companion", "a password"]


def everything_in_the_journal(folder: Path) -> bytes:
    """All bytes of the journal's files, and its text with the escapes of JSON undone."""
    raw = b"".join(path.read_bytes() for path in folder.glob("journal.db*"))
    connection = sqlite3.connect(folder / "journal.db")
    texts = [
        json.dumps(json.loads(entry), ensure_ascii=False)
        for (entry,) in connection.execute("SELECT entry FROM requests")
    ]
    connection.close()
    return raw + "\n".join(texts).encode()


def test_no_secret_reaches_the_journal(tmp_path: Path) -> None:
    private_key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END KEY-----\n"
    with running(data_dir=tmp_path) as fake:
        caller = fake.caller("studio", private_key)
        token = str(caller.token)
        url = caller.upload_url("/proj/a.ma", b"scene")
        (signature,) = parse_qs(urlsplit(url).query)["signature"]
        caller.put(url, b"scene")
        caller.put(
            url.replace("objects", "object"), b"scene"
        )  # refused, and told of in the journal all the same
        caller.sign_in(client_secret="a wrong secret")
        caller.get("/api/oauth_jwtt", query=caller.key_query())
        caller.submit(private_key=private_key, token=token)
        key = json.dumps({"client_id": "studio", "private_key": private_key})
        caller.submit(environment={"CONDUCTOR_API_KEY": key, "URL": url})
        caller.post(
            "/jobs/", data=json.dumps({"access_token": token}).encode()[:-3]
        )  # cut in the middle of the secret
        caller.post("/jobs/", data=b'{"password": "hunter2')
        caller.submit(
            padding="x" * (BODY_BYTES - 300), private_key=private_key * 20
        )  # across the end of what is kept
        caller.get(
            "/api/v1/jobs", headers={"Cookie": "session=hunter2", "Proxy-Authorization": "Basic hunter2"}
        )
        caller.get("/api/v1/jobs", query={"access_token": token, "PASSWORD": "hunter2"})
    journal = everything_in_the_journal(tmp_path)

    assert b"/proj/a.ma" in journal
    for secret in (
        "MIIEvQIBADANBgkqhkiG",
        token,
        token.split(".")[2],
        signature,
        "a wrong secret",
        "hunter2",
    ):
        assert secret.encode() not in journal, secret


@given(
    st.sampled_from(["private_key", "client_secret", "access_token", "PASSWORD", "signature"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=3, max_size=20),
    st.integers(0, 200),
)
def test_a_secret_field_is_masked_wherever_the_text_is_cut(name: str, secret: str, cut: int) -> None:
    secret = f"<{secret}>"
    text = json.dumps({"a": 1, name: secret, "b": 2}, ensure_ascii=False)
    start = text.index(json.dumps(secret, ensure_ascii=False)) + 1
    kept = text[: start + cut]

    assert mask_text(kept)[start:].startswith(MASK) or cut == 0
    assert "<" not in mask_text(kept)


def test_the_clock_is_moved_and_its_speed_changed(fake: Fake) -> None:
    caller = fake.caller()

    assert clock(caller).json() == {
        "now": "2026-01-01T00:00:00Z",
        "now_us": 1_767_225_600_000_000,
        "speed": 0.0,
        "account": "studio",
    }
    assert clock(caller, {"advance": 3600.5}).json()["now_us"] == 1_767_229_200_500_000
    assert clock(caller, {"speed": 2.5}).json()["speed"] == 2.5
    fake.wall.step(10)
    assert clock(caller).json()["now_us"] == 1_767_229_225_500_000
    assert clock(caller, {"speed": 0, "advance": 1}).json()["now_us"] == 1_767_229_226_500_000
    fake.wall.step(10)
    assert clock(caller).json()["now_us"] == 1_767_229_226_500_000


def test_the_clock_of_one_account_is_nobody_elses(fake: Fake) -> None:
    one, other = fake.caller("one"), fake.caller("other")
    clock(one, {"advance": 100, "speed": 60})

    assert clock(other).json()["now"] == "2026-01-01T00:00:00Z"
    assert clock(other).json()["speed"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"advance": -1},
        {"advance": "1"},
        {"advance": None},
        {"advance": True},
        {"advance": [1]},
        {"advance": 10 * 366 * 86400 + 1},
        {"advance": 10**400},
        {"speed": -1},
        {"speed": 10**7},
        {"speed": "fast"},
        {"advances": 1},
        {"advance": 1, "speed": -1},
    ],
)
def test_an_impossible_clock_call_is_refused_and_moves_nothing(
    shared_fake: Fake, body: dict[str, Any]
) -> None:
    caller = shared_fake.newcomer()
    before = clock(caller).json()

    assert clock(caller, body).status == 400
    assert clock(caller).json() == before


def test_simulated_time_ends_with_the_year_9999(fake: Fake) -> None:
    caller = fake.caller()
    answers = [clock(caller, {"advance": 10 * 366 * 86400}) for _ in range(800)]

    assert {answer.status for answer in answers} == {200, 400}
    assert "year 9999" in answers[-1].message
    clock(caller, {"speed": 1_000_000})
    fake.wall.step(10**7)
    assert clock(caller, {"speed": 1}).json()["now"] == "9999-12-31T23:59:59Z"
    caller.sign_in()
    caller.submit()
    assert caller.jobs()[0]["created"] == "9999-12-31T23:59:59Z"


def test_a_reset_makes_the_account_as_new_and_nobody_else(fake: Fake) -> None:
    one, other = fake.caller("one"), fake.caller("other")
    for caller in (one, other):
        caller.upload("/proj/a.ma", b"scene")
        caller.submit()
        clock(caller, {"advance": 100})
    untouched = (other.jobs(), other.files(), clock(other).json(), len(requests_of(other)))

    assert one.post("/_mock/reset", query={"account": "one"}).status == 204

    assert one.files() == {}
    assert requests_of(one) == []
    assert one.jobs() == []  # the token is still good
    assert clock(one).json()["now"] == "2026-01-01T00:00:00Z"
    assert one.submit().json()["jobid"] == "00001"
    assert one.sign_in().status == 200
    other.delete("/_mock/requests", query={"account": "none of them"})
    assert (other.jobs(), other.files(), clock(other).json(), len(requests_of(other)) - 1) == untouched


def test_a_reset_of_everything_resets_every_account(fake: Fake) -> None:
    one, other = fake.caller("one"), fake.caller("other")
    for caller in (one, other):
        caller.submit()
    assert fake.anonymous().get("/nowhere").status == 404

    assert one.post("/_mock/reset", query={"account": "*"}).status == 204

    assert fake.anonymous().get("/_mock/requests", query={"account": "*"}).json() == {
        "requests": [],
        "forgotten": 0,
    }
    assert one.jobs() == other.jobs() == []


def test_a_reset_keeps_the_key(fake: Fake) -> None:
    caller = fake.caller()
    caller.post("/_mock/reset", query=STUDIO)

    assert fake.anonymous().sign_in(client_secret="another").status == 401


def test_a_call_is_about_the_named_account_else_that_of_the_token_else_the_default(fake: Fake) -> None:
    one = fake.caller("one")

    def account(caller: ApiCaller, **query: str) -> str:
        return str(caller.get("/_mock/clock", query=query).json()["account"])

    assert account(one, account="one") == "one"
    assert account(fake.caller("other"), account="one") == "one"
    assert account(one) == "one"
    assert account(fake.anonymous()) == fake.service.keys.client_id
    one.token = "rubbish"
    assert one.get("/_mock/clock").status == 401
    assert account(one, account="one") == "one"


def test_the_default_account_is_there_when_its_key_was_replaced(tmp_path: Path) -> None:
    """Whoever deletes keys.json gets new keys; the control API must still reach the account."""
    with running(data_dir=tmp_path) as fake:
        fake.default_caller().submit()
    (tmp_path / "keys.json").unlink()
    with running(data_dir=tmp_path) as fake:
        assert len(fake.anonymous().get("/_mock/jobs").json()["jobs"]) == 1
        assert len(fake.default_caller().jobs()) == 1  # with the new key
        assert fake.anonymous().sign_in(client_id=fake.service.keys.client_id).status == 401


@pytest.mark.parametrize(
    "path", ["/_mock/jobs", "/_mock/files", "/_mock/clock", "/_mock/health", "/_mock/requests"]
)
def test_an_account_that_does_not_exist_is_404(shared_fake: Fake, path: str) -> None:
    answer = shared_fake.anonymous().get(path, query={"account": "nobody"})

    assert (answer.status, list(answer.faults)) == (404, ["account"])


def test_a_long_name_of_an_account_that_does_not_exist_is_cut_where_it_is_said(shared_fake: Fake) -> None:
    names = ("n" * 80, "n" * 81)
    said = [shared_fake.anonymous().get("/_mock/jobs", query={"account": name}).message for name in names]

    assert said[0] == said[1]
    assert repr(names[0]) in said[0]


@pytest.mark.parametrize("path", ["/_mock/jobs/1", "/_mock/bundle", "/job/1"])
def test_the_servers_own_account_is_said_to_be_unused_where_one_is_needed_that_is_there(path: str) -> None:
    with running() as fake:
        answer = fake.anonymous().get(path)

        assert (answer.status, list(answer.faults)) == (404, ["account"])
        assert f"the account {fake.service.keys.client_id!r} was never used" in answer.message


def test_a_token_for_an_account_that_went_with_its_data_is_404(tmp_path: Path) -> None:
    """The keys were kept, and with them the token is good."""
    with running(data_dir=tmp_path) as fake:
        token = fake.caller("one").token
    (tmp_path / "conductor.db").unlink()
    with running(data_dir=tmp_path) as fake:
        caller = fake.anonymous()
        caller.token = token
        answer = caller.get("/_mock/clock")

        assert (answer.status, answer.message) == (404, "the token's account does not exist on this server")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/_mock/clock"), ("POST", "/_mock/clock"), ("GET", "/_mock/jobs/1")]
)
def test_a_call_about_one_account_takes_no_star(shared_fake: Fake, method: str, path: str) -> None:
    body = {"advance": 1} if method == "POST" else None

    assert shared_fake.newcomer().request(method, path, body=body, query={"account": "*"}).status == 400


def guarded(
    fake: Fake,
    method: str,
    path: str,
    headers: Mapping[str, str],
    content_type: str | None = "application/json",
) -> int:
    """The status of a control call of a program that sends just these headers."""
    environ: dict[str, Any] = {
        f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()
    }
    if content_type is not None:
        environ["CONTENT_TYPE"] = content_type
    response = fake.app.test_client().open(
        path, method=method, base_url="http://127.0.0.1:8089", environ_overrides=environ
    )
    return response.status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example:8089"},
        {"Host": "10.0.0.1"},
        {"Host": "0.0.0.0:8089"},
        {"Host": "2130706433"},
        {"Host": "[::2]"},
        {"Host": "user@127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "https://127.0.0.1:8089"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "anything"},
    ],
    ids=lambda headers: "=".join(next(iter(headers.items()))),
)
def test_no_web_page_reaches_the_control_api(shared_fake: Fake, headers: Mapping[str, str]) -> None:
    answered = {
        (method, path): guarded(shared_fake, method, path, headers, content_type)
        for method, path, content_type in CALLS
    }

    assert {which: status for which, status in answered.items() if status != 403} == {}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "LOCALHOST:8089"},
        {"Host": "127.0.0.1"},
        {"Host": "127.1.2.3:1"},
        {"Host": "[::1]:8089"},
        {"Origin": "http://127.0.0.1:8089"},
        {"Host": "localhost:8089", "Origin": "http://localhost:8089"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=lambda headers: str(headers),
)
def test_programs_and_own_pages_reach_the_control_api(shared_fake: Fake, headers: Mapping[str, str]) -> None:
    assert guarded(shared_fake, "GET", "/_mock/jobs", headers) == 200
    assert guarded(shared_fake, "POST", "/_mock/reset", headers) == 204


@pytest.mark.parametrize("name", ["my_box", "Farm.Local"])
def test_a_host_can_be_allowed(name: str) -> None:
    with running(allow_hosts=(name,)) as fake:
        assert guarded(fake, "GET", "/_mock/health", {"Host": f"{name.lower()}:8089"}) == 200
        assert guarded(fake, "GET", "/_mock/health", {"Host": f"{name.upper()}"}) == 200
        assert guarded(fake, "GET", "/_mock/health", {"Host": f"x{name}"}) == 403


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_a_write_without_the_content_type_that_forms_cannot_send_is_refused(
    shared_fake: Fake, content_type: str | None
) -> None:
    for method, path, _ in CALLS:
        if method != "GET":
            assert guarded(shared_fake, method, path, {}, content_type) == 415, (method, path)


def test_the_calls_that_are_open_to_all_say_one_word_and_grant_nothing() -> None:
    operations = load_control().operations.values()
    assert {one.id for one in operations if one.authentication == "never"} == set(OPEN)
    with running(loopback=False, admin_token="admin") as fake:
        for one in operations:
            if one.id in OPEN:
                headers = {"Host": "evil.example", "Origin": "http://evil.example"}
                answer = fake.anonymous().get(one.path, headers=headers)
                assert (answer.status, answer.json()) == (200, OPEN[one.id])
                assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_a_preflight_is_not_granted_to_another_host(shared_fake: Fake) -> None:
    for _, path, _ in CALLS:
        for method in ("OPTIONS", "HEAD"):
            assert guarded(shared_fake, method, path, {"Host": "evil.example"}) in (403, 405), (method, path)


def test_beyond_loopback_the_control_api_is_off_without_an_admin_token() -> None:
    for token in (None, ""):
        with running(loopback=False, admin_token=token) as fake:
            assert guarded(fake, "GET", "/_mock/health", {}) == 403
            assert guarded(fake, "GET", "/_mock/health", {"Authorization": "Bearer "}) == 403
            assert fake.caller().submit().status == 201  # the service itself is on


@pytest.mark.parametrize("loopback", [True, False])
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer an admin token", 200),
        ("an admin token", 200),
        ("Bearer another", 401),
        ("Bearer ", 401),
        ("", 401),
        (None, 401),
        ("Bearer \u00ff", 401),
    ],
)
def test_an_admin_token_is_wanted_where_one_is_set(
    loopback: bool, authorization: str | None, status: int
) -> None:
    with running(loopback=loopback, admin_token="an admin token") as fake:
        headers = {} if authorization is None else {"Authorization": authorization}
        assert guarded(fake, "GET", "/_mock/jobs", headers) == status


def test_a_program_is_not_asked_for_a_password_as_a_browser_is() -> None:
    """Else a browser would send the token to the control API by itself from then on, whichever page asks."""
    with running(admin_token="an admin token") as fake:
        asked = {path: fake.anonymous().get(path) for path in ("/_mock/jobs", "/")}
    assert {path: answer.status for path, answer in asked.items()} == {"/_mock/jobs": 401, "/": 401}
    assert asked["/_mock/jobs"].headers["WWW-Authenticate"] == "Bearer"
    assert asked["/"].headers["WWW-Authenticate"].startswith("Basic ")


def test_an_admin_token_is_no_service_token_and_the_account_is_named(fake: Fake) -> None:
    with running(admin_token="an admin token") as guarded_fake:
        caller = guarded_fake.caller("one")
        headers = {"Authorization": "Bearer an admin token"}
        answer = caller.get("/_mock/clock", headers=headers, query={"account": "one"})
        assert answer.json()["account"] == "one"
        assert (
            caller.get("/_mock/clock", headers=headers).json()["account"]
            == guarded_fake.service.keys.client_id
        )
        assert caller.get("/_mock/clock").status == 401  # the service token of an account does not do
