"""The files for a studio: options that there are, fields that matter, and one answer to who is asked what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from conductor_contracts.contract import load_control
from conductor_mock.cli import main
from conductor_mock.cli.serving import END_S, GRACE_S

pytest.importorskip("conductor_mock.execution.remote", reason="tasks and contents lie on this machine yet")

STUDIO = Path(__file__).parents[2] / "examples" / "studio"
COMPOSE = yaml.safe_load((STUDIO / "compose.yaml").read_text(encoding="utf-8"))
KUBERNETES = {
    (one["kind"], one["metadata"]["name"]): one
    for one in yaml.safe_load_all((STUDIO / "kubernetes.yaml").read_text(encoding="utf-8"))
}
SERVERS = [f"farm-{number}" for number in (1, 2, 3)]


def pod(name: str) -> Any:
    return KUBERNETES["Deployment", name]["spec"]["template"]["spec"]


def container(name: str) -> Any:
    (one,) = pod(name)["containers"]
    return one


COMMANDS = {
    **{name: COMPOSE["services"][name]["command"] for name in SERVERS},
    "pod": container("conductor-mock")["args"],
}


def options_of(arguments: list[str]) -> dict[str, str]:
    """The options of a command line of `serve`, each written as one word."""
    assert arguments[0] == "serve"
    assert all(one.startswith("--") for one in arguments[1:])
    return {name: value for name, _, value in (one.partition("=") for one in arguments[1:])}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_one_of_serve_and_takes_what_it_is_given(name: str) -> None:
    serve = main.commands["serve"]
    known = {option: one for one in serve.params if isinstance(one, click.Option) for option in one.opts}
    given = options_of(COMMANDS[name])
    assert set(given) <= set(known)
    assert [option for option, value in given.items() if known[option].is_flag == bool(value)] == []
    # Below its group: click keeps the names of the help option with which a command is first used.
    with main.make_context("conductor-mock", ["serve"]) as above:
        context = serve.make_context("serve", list(COMMANDS[name][1:]), parent=above)
    assert context.params["shared"] is True


@pytest.mark.parametrize("name", COMMANDS)
def test_what_servers_share_lies_elsewhere_and_tasks_run_elsewhere(name: str) -> None:
    given = options_of(COMMANDS[name])
    shared = {
        "--shared",
        "--database-url",
        "--objects",
        "--keys",
        "--executor",
        "--executor-url",
        "--execute-account",
    }
    assert shared <= set(given)
    assert given["--execute-sandbox"] == "none"
    assert given["--execute-slots"], "a scheduler without workers yet would stop the start"
    drained = float(given["--drain"]) + GRACE_S + END_S
    graces = [COMPOSE["services"][one]["stop_grace_period"].removesuffix("s") for one in SERVERS]
    assert min(map(float, [*graces, pod("conductor-mock")["terminationGracePeriodSeconds"]])) >= drained


def test_three_servers_are_the_same_server_three_times() -> None:
    first, *others = (COMPOSE["services"][name] for name in SERVERS)
    assert others == [first, first]
    assert KUBERNETES["Deployment", "conductor-mock"]["spec"]["replicas"] == 3


def probes() -> Iterator[tuple[str, str]]:
    found = container("conductor-mock")
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        yield kind, found[kind]["httpGet"]["path"]
    haproxy = (STUDIO / "haproxy.cfg").read_text(encoding="utf-8")
    for path in re.findall(r"httpchk GET (\S+)", haproxy):
        yield "haproxy", path


def test_balancers_ask_whether_a_server_is_ready_and_only_its_keeper_whether_it_is_alive() -> None:
    ids = {kind: load_control().find("GET", path) for kind, path in probes()}
    assert {kind: operation and operation.id for kind, operation in ids.items()} == {
        "startupProbe": "control.health.ready",
        "readinessProbe": "control.health.ready",
        "livenessProbe": "control.health.live",
        "haproxy": "control.health.ready",
    }


def test_no_request_comes_to_fewer_servers_than_there_are_and_no_client_changes_its_own() -> None:
    update = KUBERNETES["Deployment", "conductor-mock"]["spec"]["strategy"]["rollingUpdate"]
    assert update["maxUnavailable"] == 0
    assert KUBERNETES["PodDisruptionBudget", "conductor-mock"]["spec"]["minAvailable"] == 2
    assert KUBERNETES["Service", "conductor-mock"]["spec"]["sessionAffinity"] == "ClientIP"
    haproxy = (STUDIO / "haproxy.cfg").read_text(encoding="utf-8")
    assert "balance source" in haproxy
    assert re.findall(r"server (\S+) (\S+):8089", haproxy) == [(name, name) for name in SERVERS]


def test_a_secret_of_keys_has_a_mode_that_a_server_takes() -> None:
    (keys,) = [one for one in pod("conductor-mock")["volumes"] if one["name"] == "keys"]
    mode = keys["secret"]["defaultMode"]
    assert mode & 0o440 == 0o440
    assert not mode & 0o027
    assert pod("conductor-mock")["securityContext"]["fsGroup"] == 10001


def test_what_the_image_asks_of_its_health_is_asked_of_servers_alone() -> None:
    image = (STUDIO.parents[1] / "Dockerfile").read_text(encoding="utf-8")
    assert "HEALTHCHECK" in image
    assert "HEALTHCHECK" not in (STUDIO / "Dockerfile").read_text(encoding="utf-8"), "and so it is inherited"
    ours = {
        name: one for name, one in COMPOSE["services"].items() if one["image"].startswith("conductor-mock")
    }
    asked = {name for name, one in ours.items() if not one.get("healthcheck", {}).get("disable")}
    assert asked == set(SERVERS), "`docker compose up --wait` ends with an error where one is not healthy"


def test_nothing_runs_as_root_and_no_word_is_written_down() -> None:
    for (kind, name), one in KUBERNETES.items():
        if kind == "Deployment":
            security = one["spec"]["template"]["spec"]["securityContext"]
            assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 10001), name
    for name in (*SERVERS, "scheduler", "worker"):
        assert COMPOSE["services"][name]["user"] == "10001"
    text = (STUDIO / "compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r"(?:PASSWORD|TOKEN|SECRET_ACCESS_KEY): (?!\$\{)\S+", text) == []


def test_only_servers_scheduler_and_workers_reach_what_runs_commands() -> None:
    for name in ("conductor-mock-scheduler", "conductor-mock-worker"):
        spec = KUBERNETES["NetworkPolicy", name]["spec"]
        assert spec["podSelector"]["matchLabels"] == {"app": name}
        (rule,) = spec["ingress"]
        who = {one["podSelector"]["matchLabels"]["app"] for one in rule["from"]}
        assert who <= {"conductor-mock", "conductor-mock-scheduler", "conductor-mock-worker"}
    assert COMPOSE["services"]["balancer"]["ports"] == ["127.0.0.1:8089:8089"]
    assert [name for name, one in COMPOSE["services"].items() if "ports" in one] == ["balancer"]
