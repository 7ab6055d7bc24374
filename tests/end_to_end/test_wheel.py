"""What is in the two wheels, and what they say of themselves; what is missing is only missed by those who install."""

from __future__ import annotations

import re
from configparser import ConfigParser

import pytest

from conductor.version import VERSION
from support.distributions import PROJECTS, Built
from support.programs import ROOT

pytestmark = pytest.mark.slow

SOURCES = {
    "conductor": ROOT / "client",
    "conductor_mock": ROOT / "mock_server",
    "conductor_contracts": ROOT / "contracts",
}


def sources(package: str) -> set[str]:
    """Every file of a package in the checkout, as a wheel should name it."""
    root = SOURCES[package]
    return {
        path.relative_to(root).as_posix()
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_clients_wheel_holds_the_client_and_nothing_else(dist: Built) -> None:
    assert dist.client.contents == sources("conductor")


def test_the_other_wheel_holds_server_contracts_and_quick_start_and_nothing_else(dist: Built) -> None:
    quick_start = {"conductor_mock/examples/quickstart.py"}
    assert dist.fake.contents == sources("conductor_mock") | sources("conductor_contracts") | quick_start


def test_the_wheels_share_no_file(dist: Built) -> None:
    assert not dist.client.names & dist.fake.names


def test_each_wheel_comes_with_its_sources(dist: Built) -> None:
    assert dist.sources == {f"conductor_mock_client-{VERSION}.tar.gz", f"conductor_mock-{VERSION}.tar.gz"}


@pytest.mark.parametrize(
    "needed",
    [
        "conductor/py.typed",
        "conductor_mock/py.typed",
        "conductor_contracts/py.typed",
        "conductor_contracts/openapi.yaml",
        "conductor_contracts/interactions/jobs.create.yaml",
        "conductor_contracts/job-states.yaml",
        "conductor_contracts/retries.yaml",
        "conductor_mock/catalog/default.yaml",
        "conductor_mock/catalog/aws.yaml",
        "conductor_mock/catalog/coreweave.yaml",
        "conductor_mock/catalog/2018.yaml",
    ],
)
def test_the_wheels_hold_the_data_that_the_packages_read(dist: Built, needed: str) -> None:
    assert needed in dist.client.names | dist.fake.names


def test_the_wheels_hold_no_test_and_no_cache(dist: Built) -> None:
    names = dist.client.names | dist.fake.names
    parts = {part for name in names for part in name.split("/")}
    assert not {"tests", "conftest.py", "__pycache__", ".hypothesis"} & parts
    assert not [name for name in names if name.rsplit("/", 1)[-1].startswith("test_")]


def entry_points(dist: Built, name: str) -> ConfigParser:
    found = ConfigParser()
    found.read_string(dist.wheels[name].information("entry_points.txt"))
    return found


def commands(dist: Built, name: str) -> set[str]:
    return set(entry_points(dist, name)["console_scripts"])


def test_each_wheel_brings_its_commands(dist: Built) -> None:
    assert commands(dist, "conductor-mock-client") == {"conductor", "conductor-farm"}
    assert commands(dist, "conductor-mock") == {"conductor-mock", "conductor-contracts"}


def test_the_fake_brings_the_plug_in_of_the_test_kit(dist: Built) -> None:
    assert dict(entry_points(dist, "conductor-mock")["pytest11"]) == {
        "conductor_mock": "conductor_mock.pytest_plugin"
    }
    assert "pytest11" not in entry_points(dist, "conductor-mock-client")


@pytest.mark.parametrize("name", PROJECTS)
def test_each_wheel_brings_the_license(dist: Built, name: str) -> None:
    license_text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert dist.wheels[name].information("licenses/LICENSE") == license_text


def test_both_distributions_have_the_version_that_the_client_states(dist: Built) -> None:
    for wheel in dist.wheels.values():
        assert f"\nVersion: {VERSION}\n" in wheel.information("METADATA")
    assert f"conductor-mock-client[cli]=={VERSION}" in dist.fake.requirements


def test_the_library_needs_three_packages_and_the_command_line_brings_its_own(dist: Built) -> None:
    needs = {line for line in dist.client.requirements if "extra ==" not in line}
    assert needs == {"filelock>=3.15", "platformdirs>=4", "requests>=2.32"}
    assert len(dist.client.requirements) == len(needs) + 4


def test_what_both_distributions_require_is_required_alike(dist: Built) -> None:
    client = {line.partition(";")[0] for line in dist.client.requirements}
    names = {line.partition(">=")[0] for line in client}
    both = {line for line in dist.fake.requirements if line.partition(">=")[0] in names}
    assert len(both) > 3
    assert both <= client


@pytest.mark.parametrize("name", PROJECTS)
def test_the_classifiers_name_the_pythons_from_the_lowest_on(dist: Built, name: str) -> None:
    lines = dist.wheels[name].information("METADATA").splitlines()
    (lowest,) = (int(line.rpartition(">=3.")[2]) for line in lines if line.startswith("Requires-Python: "))
    prefix = "Classifier: Programming Language :: Python :: 3."
    named = [int(line.removeprefix(prefix)) for line in lines if line.startswith(prefix)]
    assert named == list(range(lowest, 14))


@pytest.mark.parametrize("name", PROJECTS)
def test_the_description_of_a_wheel_links_nothing_that_an_index_lacks(dist: Built, name: str) -> None:
    description = dist.wheels[name].information("METADATA").partition("\n\n")[2]
    assert description.startswith(f"# {name}")
    assert re.findall(r"\]\((?!https?:)", description) == []
