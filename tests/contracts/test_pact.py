"""The interactions as a Pact: read back and verified against the fake by the verifier of others."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.cli import main
from conductor_contracts.interactions import Expectation, Interaction, Request, Step, load_interactions
from conductor_contracts.pact import WITH_TOKEN, WITHOUT_TOKEN, export
from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings

Json = dict[str, Any]


@pytest.fixture
def verifier(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of pact-python; it has a native library, which is not built for every machine."""
    monkeypatch.setenv("PACT_DO_NOT_TRACK", "true")  # else it tells its makers that it runs
    try:
        from pact import Verifier
    except (ImportError, OSError) as error:
        pytest.skip(f"pact-python does not load here: {error}")
    return Verifier


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(create_app(Settings(ephemeral=True, speed=0))) as served:
        yield served


def verified(verifier: Any, server: Server, pact: Json, folder: Path) -> dict[str, list[str]]:
    """What the verifier finds wrong, by description; nothing if all is well."""
    path = folder / "pact.json"
    path.write_text(json.dumps(pact))
    key = json.loads(server.environment()["CONDUCTOR_API_KEY"])
    query = {"grant_type": "client_credentials", "scope": "owner admin user"}
    query |= {"client_id": key["client_id"], "client_secret": key["private_key"]}
    token = requests.get(f"{server.url}/api/oauth_jwt", params=query, timeout=60).json()["access_token"]
    found: dict[str, list[str]] = {}
    for state in {one["providerStates"][0]["name"] for one in pact["interactions"]}:
        run = (
            verifier("conductor", host="127.0.0.1")
            .add_transport(url=server.url)
            .add_source(path)
            .filter(state=state)
        )
        if state == WITH_TOKEN:
            run.add_custom_header("Authorization", f"Bearer {token}")
        try:
            run.verify()
        except RuntimeError:
            for error in run.results["errors"]:
                found.setdefault(error["interaction"], []).append(json.dumps(error["mismatch"]))
            assert found
    return found


@pytest.mark.slow
def test_the_verifier_reads_the_export_and_the_fake_passes(
    verifier: Any, server: Server, tmp_path: Path
) -> None:
    assert verified(verifier, server, export(load_interactions()).document, tmp_path) == {}


@pytest.mark.slow
def test_the_verifier_finds_what_a_changed_pact_asks_for(
    verifier: Any, server: Server, tmp_path: Path
) -> None:
    pact = copy.deepcopy(export(load_interactions()).document)
    with_body = [one for one in pact["interactions"] if one["response"].get("matchingRules", {}).get("body")]
    chosen = [with_body[0], next(one for one in pact["interactions"] if "query" in one["request"])]
    (rule,) = list(with_body[0]["response"]["matchingRules"]["body"].values())[:1]
    for variant in rule["matchers"][0]["variants"]:
        variant["rules"]["$.path"]["matchers"][0]["regex"] = "^no such field$"
    chosen[1]["response"] = {"status": 418}
    pact["interactions"] = chosen
    assert len(verified(verifier, server, pact, tmp_path)) == len({one["description"] for one in chosen})


def test_most_interactions_of_one_step_are_exported_and_the_others_say_why() -> None:
    made = export(load_interactions())
    exported = {one["description"] for one in made.document["interactions"]}
    assert exported | set(made.left_out) == {one.id for one in load_interactions()}
    assert not exported & set(made.left_out)
    single = [one for one in load_interactions() if len(one.steps) == 1 and one.safe and not one.requires]
    assert len(exported) > len(single) / 2
    states = Counter(one["providerStates"][0]["name"] for one in made.document["interactions"])
    assert set(states) == {WITH_TOKEN, WITHOUT_TOKEN}


def test_nothing_that_leaves_something_behind_is_exported_without_leave() -> None:
    unsafe = {one.id for one in load_interactions() if not one.safe}
    assert not unsafe & {one["description"] for one in export(load_interactions()).document["interactions"]}
    assert unsafe & {
        one["description"] for one in export(load_interactions(), allow_writes=True).document["interactions"]
    }


def test_no_blank_is_left_and_no_token_is_in_the_file() -> None:
    text = json.dumps(export(load_interactions(), allow_writes=True).document)
    assert "${" not in text
    assert not re.search(r"eyJ[\w-]+\.eyJ", text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc d", min_size=1, max_size=3), inner)
    ),
    max_leaves=8,
)
MATCHERS = st.sampled_from(
    [
        {"$type": "integer"},
        {"$regex": "/?client_id"},
        {"$regex": ".*GET.*"},
        {"$regex": "[0-9]{5}"},
        {"$contains": {"path": {"$regex": "/?a"}}},
        {"$any": True},
        {"$min": 5},
    ]
)


@given(
    st.dictionaries(
        st.text("abc d", min_size=1, max_size=3), VALUES | MATCHERS | st.lists(MATCHERS, max_size=2)
    )
)
def test_the_example_of_an_answer_fits_what_is_expected_of_it_as_far_as_it_says_anything(body: Json) -> None:
    from conductor_contracts.matching import differences

    step = Step("jobs.list", Request(), Expectation((200,), body))
    (made,) = export([Interaction("jobs.list", "a", "b", True, (step,))]).document["interactions"]
    example = made["response"]["body"]["content"]
    missing = [str(one) for one in differences(body, example) if not str(one).endswith("is missing")]
    assert missing == []
    assert set(example) <= set(body)


def test_the_command_writes_json_and_says_what_is_left_out() -> None:
    done = CliRunner().invoke(main, ["pact"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["metadata"]["pactSpecification"] == {"version": "4.0"}
    assert "has more than one step" in done.stderr
