"""Build environments. In: cases, each a list of [entries, platform].

Out: the variables of each, null if refused, or the name of another error that the client did not mean.
"""

import json
import sys

from ciocore.package_environment import PackageEnvironment  # type: ignore[import-not-found]


def built(sources: list[tuple[list[dict[str, str]], str]]) -> dict[str, str] | str | None:
    environment = PackageEnvironment()
    try:
        for entries, platform in sources:
            environment.extend(entries, platform)
        return dict(environment)
    except ValueError:
        return None
    except TypeError as error:
        return type(error).__name__


print()
print(json.dumps([built(case) for case in json.load(sys.stdin)]))
