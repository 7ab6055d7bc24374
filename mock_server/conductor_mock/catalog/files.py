"""Where catalogues come from: the shipped tables, and files that users write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from conductor_contracts.problems import advice
from conductor_contracts.text_files import TextFileError, parse_yaml, read_text
from conductor_mock.catalog.build import build
from conductor_mock.catalog.model import LISTS, TABLES, Catalog, license_key
from conductor_mock.catalog.problems import CatalogError
from conductor_mock.catalog.releases import told_by
from conductor_mock.catalog.validation import validate

NAMES = ("gcp", "aws", "coreweave", "2018")
"""The shipped catalogues: three that differ in their machines, whose names tell the provider, and an old one."""

DIGESTS: Mapping[str, str] = {
    "gcp": "30215e15889d7960df3d4b187482b2d07874b411477aa6f4aa17344cc7430ecb",
    "aws": "d3901181757ce9c51a93259f9a342895766b187aa357c79e4888dcd22f426363",
    "coreweave": "f32f38f267a3d49fa353b1748024719c4cbb86186eef07ae87997f9c7074e8ad",
    "2018": "e485e0bdef5713b68ba489346fb52715735dd3095572dd89a90320c7ad1600e5",
}
"""The `sha256` of each, so that an account can be opened before its catalogue was made."""


def default() -> Catalog:
    """The shipped catalogue, whose machines are named as on Google's cloud."""
    return named("gcp")


@cache
def named(name: str) -> Catalog:
    """A shipped catalogue: that of a provider, `gcp` (the default one), `aws` or `coreweave`, or that of `2018`.

    The software, the projects and the account environment of providers are the same. That of 2018 has the software of
    the vendor's listing of that year, with plug-ins of plug-ins. Made once per process.
    Raises CatalogError for another name.
    """
    if name not in NAMES:
        raise CatalogError(f"there is no shipped catalogue {name!r}{advice(name, NAMES)}")
    default_table = table("default.yaml")
    own = {} if name == "gcp" else table(f"{name}.yaml")
    if "witness" in own:
        own["products"] = told_by(own["witness"], default_table["products"]) + own["products"]
    return Catalog.from_document(build(default_table | own))


def load(path: str | Path, *, strict: bool = False) -> Catalog:
    """Read a user's catalogue file: JSON if its name ends in `.json`, YAML otherwise.

    It is an object with some of the keys `packages`, `projects`, `instance_types` and `env_vars_configs`, each
    a list of records as the wire has them, and of `machines` and `licenses` (see `from_document`).
    Raises CatalogError naming the file, each wrong place in it, and what is accepted there.
    """
    return from_document(read(path), str(path), strict=strict)


def read(path: str | Path) -> object:
    """The content of a JSON or YAML file, unchecked. Raises CatalogError if it cannot be read as such."""
    file = Path(path)
    try:
        text = read_text(file)
        return json.loads(text) if file.suffix.lower() == ".json" else parse_yaml(text)
    except TextFileError as error:
        raise CatalogError(f"the catalogue {path} {error}") from error
    except ValueError as error:
        raise CatalogError(f"the catalogue {path} is not JSON: {error}") from error
    except RecursionError as error:
        raise CatalogError(f"the catalogue {path} is nested too deeply") from error


def from_document(document: object, source: str, *, strict: bool = False) -> Catalog:
    """Make a catalogue of a document that someone wrote; `source` names it in the error.

    A list that is left out is that of the shipped catalogue, so that a file may hold only a studio's projects.
    `machines` may give prices and speeds by instance type (`machines.FIGURES`), which otherwise follow from
    cores, memory and GPUs. Without `licenses` the shipped prices apply to the products of the same name.
    Raises CatalogError with every error that `validate` finds; warnings do not stop it.
    """
    completed = complete(document)
    errors = [problem for problem in validate(completed, strict=strict) if problem.is_error]
    if errors or not isinstance(completed, dict):
        raise CatalogError.of(source, errors)
    return Catalog.from_document(completed)


def complete(document: object) -> object:
    """The document with the parts that it leaves out put in, ready for `validate`.

    What is no object, or holds no part of a catalogue at all, is given back as it is.
    """
    if not isinstance(document, dict) or not any(key in document for key in LISTS + TABLES):
        return document
    shipped = default().to_document()
    filled: dict[str, Any] = {key: shipped[key] for key in LISTS} | document
    if license_key(filled) not in filled:
        products = _products(filled["packages"])
        prices = shipped[license_key(shipped)].items()
        filled[license_key(filled)] = {name: price for name, price in prices if name in products}
    return filled


def _products(packages: object) -> list[object]:
    """The products of a list that may not be checked yet."""
    if not isinstance(packages, list):
        return []
    return [package.get("product") for package in packages if isinstance(package, Mapping)]


def table(name: str) -> dict[str, Any]:
    """A shipped table. Every scalar in it is text, so that versions need no quotes; build.py makes the numbers."""
    text = resources.files("conductor_mock.catalog").joinpath(name).read_text(encoding="utf-8")
    parsed = yaml.load(text, Loader=_text_loader())  # noqa: S506 - it makes nothing but text
    if not isinstance(parsed, dict):
        raise CatalogError(f"the shipped table {name} is not an object")
    return parsed


def _text_loader() -> Any:
    """The loader that uses libyaml where PyYAML was built with it: it is about ten times as fast."""
    return getattr(yaml, "CBaseLoader", yaml.BaseLoader)
