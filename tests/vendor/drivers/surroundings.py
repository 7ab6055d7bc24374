"""Where the client finds itself. Out: its version, environment and home, and which of our packages it could import."""

import importlib.util
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

ours = [
    name for name in ("conductor", "conductor_mock", "conductor_contracts") if importlib.util.find_spec(name)
]
print(
    json.dumps(
        {
            "version": version("ciocore"),
            "prefix": sys.prefix,
            "home": str(Path.home()),
            "environ": dict(os.environ),
            "ours": ours,
        }
    )
)
