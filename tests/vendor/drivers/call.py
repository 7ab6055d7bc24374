"""Call public functions in turn. In: a list of [module, function, arguments, keywords]. Out: what came of each."""

import importlib
import json
import sys

outcomes = []
for module, function, arguments, keywords in json.load(sys.stdin):
    try:
        returned = getattr(importlib.import_module(f"ciocore.{module}"), function)(*arguments, **keywords)
        outcomes.append({"returned": returned})
    except Exception as error:  # noqa: BLE001 - the test wants to know
        outcomes.append({"raised": type(error).__name__, "message": str(error)})
print()
print(json.dumps(outcomes, default=sorted))
