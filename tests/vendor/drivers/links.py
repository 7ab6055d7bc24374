"""The service's rule for linking, as the client's own tests have it. In: packages. Out: the hosts of each plug-in.

The rule is told a plug-in and a package that may be its host. That they belong together by name is seen from the links
that they have.
"""

import json
import sys

from tests.package_fixtures import _should_link  # type: ignore[import-not-found]

packages = json.load(sys.stdin)
by_id = {package["package_id"]: package for package in packages}
called: dict[str, set[str]] = {}
for package in packages:
    for host in package["plugin_hosts"]:
        called.setdefault(package["plugin_host_product"], set()).add(by_id[host]["product"])
links = {
    plugin["package_id"]: sorted(
        host["package_id"]
        for host in packages
        if host["product"] in called[plugin["plugin_host_product"]] and _should_link(plugin, host)
    )
    for plugin in packages
    if plugin["plugin_host_product"]
}
print()
print(json.dumps(links))
