"""What plug-ins make of the set of platforms. In: the names of packages by product, host first. Out: what they choose.

The plug-ins for Maya, Houdini and Blender write `list(coredata.platforms())[0]` behind the names of all packages (wire
reference 12.18). The order of a set of texts depends on PYTHONHASHSEED.
"""

import json
import sys

from ciocore import data as coredata  # type: ignore[import-not-found]

answer = {}
for product, names in json.load(sys.stdin).items():
    coredata.init(product)
    chosen = coredata.data(force=True)
    platform = list(coredata.platforms())[0]  # noqa: RUF015 - as the plug-ins have it
    path = "/".join(f"{name} {platform}" for name in names)
    package = chosen["software"].find_by_path(path)
    machines = chosen["instance_types"].instance_types.values()
    answer[product] = {
        "platforms": sorted(coredata.platforms()),
        "found": package and f"{package['product']} {package['platform']}",
        "machines": sorted({machine["operating_system"] for machine in machines}),
    }
    coredata.clear()
print()
print(json.dumps(answer))
