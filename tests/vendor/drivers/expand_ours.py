"""Expand upload paths with this project's client, one list after the other. In: the lists. Out: files or the error."""

from __future__ import annotations

import json
import os
import sys

from conductor.lib.exceptions import InvalidPathError
from conductor.lib.file_utils import expand_paths

found: list[dict[str, object]] = []
for folder, paths in json.load(sys.stdin):
    os.environ["SHOW"] = folder
    try:
        found.append({"files": sorted(expand_paths(paths))})
    except InvalidPathError as error:
        found.append({"raised": type(error).__name__})
print(json.dumps(found))
