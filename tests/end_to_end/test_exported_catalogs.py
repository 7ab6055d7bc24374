"""What `conductor catalog export` writes is served back equal: by `--catalog` and by `PUT /_mock/catalog`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from conductor.cli import cli
from conductor.commands.catalog import _text
from conductor_mock.catalog import default
from conductor_mock.catalog.files import read
from support.farm import Farm, farm
from support.listing import listing_of_2018
from support.published import as_published

Json = dict[str, Any]

LISTS = ("packages", "projects", "instance_types", "env_vars_configs")


def offered(here: Farm) -> Json:
    """What the account is offered, as the service answers."""
    with here.client() as client:
        return {
            "packages": client.list_packages(),
            "projects": client.list_projects(()),
            "instance_types": client.list_instance_types(),
        }


def exported(here: Farm, file: Path) -> Json:
    """The document that the command writes."""
    done = CliRunner().invoke(cli, ["--quiet", "catalog", "export", str(file)], env=here.environment)
    assert (done.exit_code, done.stderr) == (0, "")
    document = read(file)
    assert isinstance(document, dict)
    return document


def give(here: Farm, document: Json) -> None:
    offered(here)  # an account appears with its first token
    here.control.ask("PUT", "/_mock/catalog", document)


@pytest.mark.parametrize("name", ["account.json", "account.yaml"])
def test_an_odd_account_is_exported_and_served_back_equal(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    with farm(tmp_path / "real") as real:
        give(real, as_published())
        document, known = exported(real, file), offered(real)
    assert tuple(document) == LISTS
    assert known == as_published() == {key: document[key] for key in known}
    with farm(tmp_path / "by_file", catalog=file) as fake:
        assert offered(fake) == known
        assert exported(fake, tmp_path / f"again-{name}") == document
    with farm(tmp_path / "by_put") as fake:
        give(fake, document)
        assert offered(fake) == known
        assert exported(fake, tmp_path / f"once-more-{name}") == document


def test_the_listing_of_2018_is_exported_and_served_back_equal(tmp_path: Path) -> None:
    listing = listing_of_2018()
    with farm(tmp_path / "real") as real:
        give(real, {"packages": listing})
        document = exported(real, tmp_path / "account.yaml")
    assert document["packages"] == listing
    with farm(tmp_path / "fake", catalog=tmp_path / "account.yaml") as fake:
        assert offered(fake)["packages"] == listing


def test_the_shipped_catalogue_is_exported_and_served_back_equal(tmp_path: Path) -> None:
    with farm(tmp_path / "real") as real:
        document = exported(real, tmp_path / "account.yaml")
    assert document == {key: default().to_document()[key] for key in LISTS}
    with farm(tmp_path / "fake", catalog=tmp_path / "account.yaml") as fake:
        assert offered(fake) == {key: document[key] for key in ("packages", "projects", "instance_types")}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("libyaml", [True, False])
@given(records=st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=3))
@example(records=[{"description": text} for text in ("\x85", "a\x85b", "\u2028", "\ufeff", "é")])
def test_whatever_records_hold_is_read_from_the_file_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, libyaml: bool, records: list[Json]
) -> None:
    with pytest.MonkeyPatch.context() as without:
        if not libyaml:
            without.delattr(yaml, "CSafeDumper")
        for name in ("any.json", "any.yaml"):
            file = tmp_path_factory.getbasetemp() / name
            file.write_bytes(_text({"packages": records}, file).encode())
            assert read(file) == {"packages": records}
