"""The catalogue of a simulated account: software packages, projects, machines and account environment.

`default()` is the shipped one, `named()` has alternatives, `load()` reads a user's file. Nothing here knows of
HTTP; the filters are those of the wire's list endpoints.
"""

from conductor_mock.catalog.files import default, from_document, load, named
from conductor_mock.catalog.machines import Machine, MicroDollars
from conductor_mock.catalog.model import Catalog, Record
from conductor_mock.catalog.problems import CatalogError, Finding
from conductor_mock.catalog.validation import validate

__all__ = [
    "Catalog",
    "CatalogError",
    "Finding",
    "Machine",
    "MicroDollars",
    "Record",
    "default",
    "from_document",
    "load",
    "named",
    "validate",
]
