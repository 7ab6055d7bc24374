"""A capture holds no secret, and drift finds each planted difference and none in what keeps the contract."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor_contracts.capture import Exchange, Recorder, proxy
from conductor_contracts.cli import main
from conductor_contracts.drift import MISSING, NEW, OTHER, ROUTE, STATUS, drift, never_seen
from conductor_contracts.file_formats import problems_of, schema_text
from conductor_contracts.interactions import Interaction, parse_interactions
from conductor_contracts.redaction import Redactor
from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from contracts.services import small_catalog

INTERACTIONS = files("conductor_contracts").joinpath("interactions")
TITLE = "shot for fred.miller@studio.example"
PERSON, EMAIL = "fred miller", "fred.miller@studio.example"


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """What was captured while our client submitted a job through the proxy, and all that is secret in it."""
    folder = tmp_path_factory.mktemp("secret_project")
    scene = folder / "hero_scene.ma"
    scene.write_text("scene")
    recorder = Recorder()
    settings = Settings(ephemeral=True, speed=0, catalog=small_catalog(folder))
    with Server(create_app(settings)) as server, proxy(server.url, recorder) as between:
        thread = threading.Thread(target=between.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        environment = {
            **server.environment(),
            "CONDUCTOR_URL": f"http://127.0.0.1:{between.server_address[1]}",
        }
        environment |= {"HOME": str(folder), "CONDUCTOR_USER_DIR": str(folder)}
        with pytest.MonkeyPatch.context() as patch:
            for name, text in environment.items():
                patch.setenv(name, text)
            patch.delenv("CONDUCTOR_CONFIG", raising=False)
            with ApiClient() as client:
                arguments = {
                    "job_title": TITLE,
                    "owner": PERSON,
                    "project": "default",
                    "instance_type": "n1-standard-2",
                    "output_path": f"{folder}/renders",
                    "tasks_data": [{"command": f"render {scene}", "frames": "1"}],
                    "upload_paths": [str(scene)],
                    "notify": [EMAIL],
                }
                Submit(arguments, client=client).main()
                client.calls.packages_list()
                client.calls.jobs_list()
            key = json.loads(server.environment()["CONDUCTOR_API_KEY"])
        between.shutdown()
        thread.join()
    exchanges = recorder._exchanges
    tokens = [one.answer["access_token"] for one in exchanges if "oauth" in one.path]
    urls = json.dumps([one.answer for one in exchanges])
    signatures = [part.split("&")[0].split('"')[0] for part in urls.split("signature=")[1:]]
    assert tokens
    assert signatures
    secrets = [key["private_key"].splitlines()[1], *tokens, *signatures, PERSON, EMAIL]
    return recorder.interactions(), [*secrets, "secret_project", "hero_scene", "fred.miller"]


@cache
def _parsed(text: str) -> str:
    return json.dumps(list(yaml.load_all(text, Loader=yaml.CSafeLoader)))


def documents_of(text: str) -> list[Any]:
    """The documents of a capture, to be changed at will."""
    return list(json.loads(_parsed(text)))


def read(text: str) -> list[Interaction]:
    return [one for document in documents_of(text) for one in parse_interactions(json.dumps(document), "c")]


def test_no_secret_is_left_in_a_capture(captured: tuple[str, list[str]]) -> None:
    text, secrets = captured
    assert [secret for secret in secrets if secret in text] == []
    assert "BEGIN" not in text
    assert "eyJ" not in text.replace("eyJhbGciOiJub25lIn0.e30.secret-", "")


def test_a_capture_is_of_the_form_of_interactions_and_says_the_same_for_the_same(
    captured: tuple[str, list[str]],
) -> None:
    documents = list(documents_of(captured[0]))
    assert [problems_of("interactions", document) for document in documents] == [[] for _ in documents]
    by_operation = {one.operation: one.steps[0] for one in read(captured[0])}
    assert {"auth.token", "files.get_upload_urls", "jobs.create", "packages.list", "jobs.list"} <= set(
        by_operation
    )
    job = by_operation["jobs.create"].request.body
    asked = by_operation["files.get_upload_urls"].request.body
    (path,) = (one["path"] for one in asked["upload_files"])
    assert [one["destination"] for one in job["upload_files"]] == [path]
    assert job["tasks_data"][0]["command"] == f"render {path}"
    assert path.endswith(".ma")
    listed = by_operation["jobs.list"].expect.body["data"][0]
    assert listed["owner"] == job["owner"]


def test_what_keeps_the_contract_has_not_drifted(captured: tuple[str, list[str]]) -> None:
    """The fake says nothing that the contract does not name."""
    assert drift(read(captured[0])) == []
    assert "jobs.list data[].status" not in never_seen(read(captured[0]))


Change = Callable[[Any], Any]


def put(place: str, value: Any) -> Change:
    """A change that puts a value at a place of a body; Ellipsis takes it away."""

    def change(body: Any) -> Any:
        body = copy.deepcopy(body)
        *steps, last = place.split("/")[1:]
        node = body
        for step in steps:
            node = node[int(step)] if isinstance(node, list) else node[step]
        if value is ...:
            del node[last]
        else:
            node[last] = value
        return body

    return change


ANSWERS: list[tuple[str, str, Any, str]] = [
    ("auth.token", "/access_token", ..., MISSING),
    ("auth.token", "/access_token", 7, OTHER),
    ("auth.token", "/expires_in", "soon", OTHER),
    ("auth.token", "/refresh", "x", NEW),
    ("packages.list", "/data/0/package_id", ..., MISSING),
    ("packages.list", "/data/0/product", 7, OTHER),
    ("packages.list", "/data/0/environment", {}, OTHER),
    ("packages.list", "/data/0/environment", ..., MISSING),
    ("packages.list", "/data/0/licence_server", "x", NEW),
    ("packages.list", "/data", {}, OTHER),
    ("packages.list", "/data", ..., MISSING),
    ("packages.list", "/next_page", 2, NEW),
    ("files.get_upload_urls", "/singlePartURLs", {}, OTHER),
    ("files.get_upload_urls", "/singlePartURLs/0/preSignedURL", ..., MISSING),
    ("files.get_upload_urls", "/singlePartURLs/0/preSignedURL", None, OTHER),
    ("files.get_upload_urls", "/singlePartURLs/0/filePath", ..., MISSING),
    ("files.get_upload_urls", "/singlePartURLs/0/kmsKey", "x", NEW),
    ("jobs.create", "/jobid", ..., MISSING),
    ("jobs.create", "/jobid", 7, OTHER),
    ("jobs.create", "/jobid", "7", OTHER),
    ("jobs.create", "/status", 7, OTHER),
    ("jobs.create", "/cost", 0.5, NEW),
    ("jobs.list", "/data", 7, OTHER),
    ("jobs.list", "/data/0/status", "rendering", OTHER),
    ("jobs.list", "/data/0/created", 7, OTHER),
    ("jobs.list", "/data/0/jid", 7, OTHER),
    ("jobs.list", "/data/0/priority_class", "x", NEW),
]


@pytest.mark.parametrize(("operation", "place", "value", "kind"), ANSWERS, ids=str)
def test_a_planted_difference_of_an_answer_is_found(
    captured: tuple[str, list[str]], operation: str, place: str, value: Any, kind: str
) -> None:
    found = planted(captured[0], operation, lambda step: {"body": put(place, value)(step["expect"]["body"])})
    pattern = place.replace("/0/", "/[]/")
    assert (operation, kind, "answer", pattern) in found


def planted(text: str, operation: str, change: Callable[[Any], dict[str, Any]]) -> set[tuple[str, ...]]:
    """What has drifted where the expectation of the first exchange of an operation is changed."""
    documents = list(documents_of(text))
    (document,) = (one for one in documents if one["operation"] == operation)
    step = document["interactions"][0]["steps"][0]
    step["expect"].update(change(step))
    found = drift(parse_interactions(json.dumps(document), "c"))
    return {(one.operation, one.kind, one.part, one.place) for one in found}


@pytest.mark.parametrize("operation", ["auth.token", "packages.list", "jobs.create", "jobs.list"])
def test_another_status_is_found(captured: tuple[str, list[str]], operation: str) -> None:
    found = planted(captured[0], operation, lambda _: {"status": 418})
    assert (operation, STATUS, "answer", "") in found


@pytest.mark.parametrize("libyaml", [True, False])
def test_an_answer_is_kept_as_it_came(monkeypatch: pytest.MonkeyPatch, libyaml: bool) -> None:
    if not libyaml:
        monkeypatch.delattr(yaml, "CSafeDumper")
    recorder = Recorder()
    answer = {"message": ["\x85", "no\x85software", "\u2028", "\ufeff", "é", "a\nb "]}
    recorder.add(Exchange("GET", "/api/v1/jobs", {}, None, 200, answer))

    (step,) = documents_of(recorder.interactions())[0]["interactions"][0]["steps"]
    assert step["expect"]["body"] == answer


def test_another_route_parameter_and_field_of_a_request_are_found() -> None:
    recorder = Recorder()
    job = {"tasks_data": [{"command": "r"}], "cores": 1, "scout_frame": "1"}
    answer = {"body": "job submitted.", "jobid": "00001", "status": "success", "uri": "/jobs/00001"}
    recorder.add(Exchange("POST", "/jobs/", {}, job, 201, answer))
    recorder.add(Exchange("GET", "/api/v1/jobs", {"page": "2"}, None, 200, {"data": []}))
    recorder.add(Exchange("GET", "/api/v2/jobs", {}, None, 200, {"data": []}))
    found = {(one.operation, one.kind, one.part, one.place) for one in drift(read(recorder.interactions()))}
    assert found >= {
        ("jobs.create", NEW, "request", "/scout_frame"),
        ("jobs.list", NEW, "query", "/page"),
        ("routes", ROUTE, "", "GET /api/v2/jobs"),
    }
    assert {operation for operation, _, _, _ in found} == {"jobs.create", "jobs.list", "routes"}


WORDS = st.text("abcdefghij", min_size=6, max_size=10)


@given(WORDS, WORDS, WORDS, WORDS)
def test_what_is_private_is_gone_wherever_and_however_it_is_written(
    secret: str, name: str, host: str, folder: str
) -> None:
    secret, name, folder = f"{secret}/+= Z", f"{name}Q", f"{folder}Q"
    email = f"{name}@{host}.com"
    body = {
        "client_secret": secret,
        "note": f"token was {secret}, ask {email}",
        "url": f"https://x.test/a?client_secret={quote(secret, safe='')}",
        "upload_files": [{"destination": f"/proj/{folder}/a.exr"}, {"destination": f"C:/{folder}/b.exr"}],
        f"/proj/{folder}/a.exr": email,
    }
    redactor = Redactor()
    redactor.learn(body)
    clean = redactor.clean(body)
    text = json.dumps(clean)
    assert all(private not in text for private in (secret, name, host, folder, quote(secret)))
    first, second = (one["destination"].split("/") for one in clean["upload_files"])
    assert first[2] == second[1]
    assert list(clean)[-1] == "/".join(first)
    assert redactor.clean(body) == clean


class AtOnce:
    """A signal that has come already."""

    def get(self, timeout: float) -> int:
        return 2


def test_a_capture_that_has_ended_says_where_it_is_and_what_to_do_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conductor_contracts.commands.capture._signals", lambda: nullcontext(AtOnce()))
    path = tmp_path / "capture.yaml"
    ended = CliRunner().invoke(main, ["capture", "--upstream", "http://127.0.0.1:1", "--output", str(path)])
    assert ended.exit_code == 0
    assert ended.stdout.startswith("export CONDUCTOR_URL=http://127.0.0.1:")
    assert ended.stderr == f"wrote {path}; read it, then: conductor-contracts drift {path}\n"
    assert path.is_file()


NAMES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "VRAY_", "aws-", "my", "X."]),
    st.sampled_from(
        ["token", "SECRET", "password", "Passwd", "credential", "API_KEY", "api-key", "Signature", "private"]
    ),
    st.sampled_from(["", "_1", "Value", "_ACCESS_KEY"]),
)
SECRETS = st.text("KLMNPQRSTVWXYZ", min_size=8, max_size=12)


@given(NAMES, SECRETS, SECRETS, st.integers(10**8, 10**9))
def test_what_is_secret_by_the_name_before_it_is_gone(
    name: str, secret: str, short: str, number: int
) -> None:
    body = {
        "environment": {name: secret, f"{name}2": short[:3], f"{name}3": number, f"{name}4": [secret[::-1]]},
        "title": f"with {secret}",
        "commands": [
            f"render --{name}={short}a",
            f"render --{name} '{short}b' scene",
            f"env {name}={short}c render",
            f"curl -H 'Authorization: Bearer {short}d'",
            f"git clone https://fred:{short}e@studio.test/x",
            json.dumps({"inner": [{name: f"{short}f"}]}),
        ],
        "token_type": "Bearer",
        "is_private": True,
    }
    redactor = Redactor()
    redactor.learn(body)
    clean = redactor.clean(body)
    text = json.dumps(clean)
    assert [one for one in (secret, secret[::-1], short, str(number)) if one in text] == []
    assert clean["environment"][f"{name}2"] == "secret"
    assert (clean["token_type"], clean["is_private"]) == ("Bearer", True)
    assert clean["title"] == f"with {clean['environment'][name]}"
    assert redactor.clean(body) == clean


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("operation: jobs.list", "document 1 is no object with interactions and operation"),
        ("{}\n---\noperation: jobs.list", "document 1 is no object with interactions and operation"),
        ("[1, 2]", "document 1 is no object with interactions and operation"),
        (schema_text("interactions"), "document 1 is no object with interactions and operation"),
        ("operation: jobs.list\ninteractions: 3", "document 1: /interactions must be a list"),
        (INTERACTIONS.joinpath("jobs.list.yaml").read_text("utf-8"), "says what is to be asked and answered"),
        (INTERACTIONS.joinpath("routes.yaml").read_text("utf-8"), "says what is to be asked and answered"),
        ("# A page\n\nof: words: and more", "is not YAML"),
    ],
)
def test_a_file_that_is_no_capture_is_told_with_what_makes_one(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "other"
    path.write_text(text, encoding="utf-8")

    refused = CliRunner().invoke(main, ["drift", str(path)])

    assert refused.exit_code == 2
    (sentence,) = (line for line in refused.output.splitlines() if line.startswith("Error: "))
    assert sentence.startswith(f"Error: {path}")
    assert reason in sentence
    assert sentence.endswith("; a capture is what `conductor-contracts capture` writes")
    assert len(sentence) < 400


def test_the_commands_drift_and_capture(captured: tuple[str, list[str]], tmp_path: Path) -> None:
    path = tmp_path / "capture.yaml"
    documents = [one for one in documents_of(captured[0]) if one["operation"] != "jobs.list"]
    kept = yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False)
    path.write_text(kept, encoding="utf-8")
    right = CliRunner().invoke(main, ["drift", str(path), "--never-seen"])
    assert right.exit_code == 0, right.output
    assert all(line.startswith("unseen") for line in right.output.splitlines())

    path.write_text(kept.replace("status: 201", "status: 218"), encoding="utf-8")
    wrong = CliRunner().invoke(main, ["drift", str(path)])
    assert wrong.exit_code == 1
    assert "status  jobs.create answer: has status 218; documented are 201" in wrong.output
    told = json.loads(CliRunner().invoke(main, ["drift", str(path), "--json"]).output)
    assert {one["kind"] for one in told} == {STATUS}

    for garbage in ("a: [", "&a [*a]", "a: 2020-99-99", "a: !!binary aGVsbG8=", "", "---\n---"):
        path.write_text(garbage, encoding="utf-8")
        refused = CliRunner().invoke(main, ["drift", str(path)])
        assert (refused.exit_code, str(path) in refused.output) == (2, True), garbage
    there = CliRunner().invoke(main, ["capture", "--upstream", "http://127.0.0.1:1", "--output", str(path)])
    assert "is there already" in there.output
    assert CliRunner().invoke(main, ["capture", "--upstream", "x", "--output", "y"]).exit_code == 2
