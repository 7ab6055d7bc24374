"""What the client's package tree makes of lists of packages.

In: lists of records; null is that of the client's own tests, which are installed with it. Out: for each, the records as
they were taken, and the tree of all hosts, each node an id, a name and the nodes below.
"""

import copy
import json
import sys
from importlib import import_module
from typing import Any

from ciocore import package_tree  # type: ignore[import-not-found]


def node(branch: dict[str, Any]) -> list[Any]:
    return [branch["package_id"], package_tree.to_name(branch), [node(child) for child in branch["children"]]]


def tree_of(packages: list[dict[str, Any]]) -> list[Any]:
    """Version 4 has no `as_dict`, but gives the same as text."""
    root = json.loads(package_tree.PackageTree(packages).json())
    return [node(child) for child in root["children"]]


def published() -> list[dict[str, Any]]:
    return list(import_module("tests.package_fixtures").SOFTWARE_DATA)


answers = []
for given in json.load(sys.stdin):
    packages = published() if given is None else given
    answers.append({"packages": packages, "tree": tree_of(copy.deepcopy(packages))})
print()
print(json.dumps(answers))
