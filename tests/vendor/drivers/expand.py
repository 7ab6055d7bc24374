"""Expand upload paths one list after the other. In: the lists. Out: the files of each, or the error."""

import json
import os
import sys

from ciocore import file_utils  # type: ignore[import-not-found]

found: list[dict[str, object]] = []
for folder, paths in json.load(sys.stdin):
    os.environ["SHOW"] = folder
    try:
        found.append({"files": sorted(set(file_utils.process_upload_filepaths(paths)))})
    except Exception as error:  # noqa: BLE001 - the test wants to know
        found.append({"raised": type(error).__name__})
print()
print(json.dumps(found))
