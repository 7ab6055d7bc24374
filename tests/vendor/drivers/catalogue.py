"""What submission tools make of the catalogue. In: the host product to choose. Out: what each public function gave."""

import json
import sys
from collections.abc import Callable
from typing import Any

from ciocore import api_client, data, hardware_set, package_environment, package_tree  # type: ignore[import-not-found]


def attempt(function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    try:
        return {"returned": function(*arguments)}
    except Exception as error:  # noqa: BLE001 - the test wants to know
        return {"raised": type(error).__name__, "message": str(error)}


def singleton(product: str) -> dict[str, object]:
    not_initialised = attempt(data.data)
    data.init(product)
    before = data.valid()
    data.set_fixtures_dir("/nowhere")
    found = data.data()
    answer = {
        "not_initialised": not_initialised,
        "valid_before": before,
        "valid": data.valid(),
        "keys": sorted(found),
        "same_again": data.data() is found,
        "projects": found["projects"],
        "products": data.products(),
        "platforms": sorted(data.platforms()),
        "machines": sorted(found["instance_types"].instance_types),
        "hosts": found["software"].supported_host_names(),
    }
    chosen = data.data(force=True, instances_filter="cores=gte:16:int,operating_system=eq:linux")
    answer["machines_chosen"] = sorted(chosen["instance_types"].instance_types)
    data.clear()
    answer["valid_after_clear"] = data.valid()
    data.init()
    answer["all_hosts"] = data.data(force=True)["software"].supported_host_names()
    return answer


def tree(packages: list[dict[str, object]], product: str) -> dict[str, object]:
    found = package_tree.PackageTree(packages, product)
    windows = package_tree.PackageTree(packages, product, platforms={"windows"})
    plugin = package_tree.PackageTree(packages, product="arnold-maya")
    hosts = found.supported_host_names()
    host = next(name for name in hosts if found.supported_plugins(name))
    path = next(path for path in found.to_path_list() if path.startswith(f"{host}/"))
    return {
        "hosts": hosts,
        "host": host,
        "plugins": found.supported_plugins(host),
        "plugins_by_host": {name: found.supported_plugins(name) for name in hosts},
        "by_name": found.find_by_name(host)["package_id"],
        "name_of_it": package_tree.to_name(found.find_by_name(host)),
        "by_path": found.find_by_path(path)["product"],
        "not_there": found.find_by_path("nothing 1 linux"),
        "paths": found.to_path_list(),
        "paths_below": found.to_path_list(name=host),
        "platforms": sorted(found.platforms()),
        "windows": sorted(windows.platforms()),
        "as_text": len(json.loads(found.json())["children"]),
        "as_dict": sorted(found.as_dict()),
        "one_plugin_product": plugin.supported_host_names(),
        "nonsense": attempt(lambda: package_tree.PackageTree(packages, platforms={"amiga"}).platforms()),
    }


def environments(packages: list[dict[str, object]]) -> dict[str, object]:
    found = package_tree.PackageTree(packages)
    host = found.find_by_name("maya-io 2023.SP3 linux")
    plugin = found.find_by_path("maya-io 2023.SP3 linux/arnold-maya 5.2.2.3 linux")
    merged = package_environment.PackageEnvironment(host)
    merged.extend(plugin)
    merged.extend([{"name": "PATH", "value": "/my/tools", "merge_policy": "append"}])
    merged.extend([{"name": "PATH", "value": "/first", "merge_policy": "prepend"}])
    merged.extend([{"name": "MY_LICENSE", "value": "1@here", "merge_policy": "exclusive"}])
    merged.extend([{"name": "MY_LICENSE", "value": "2@there", "merge_policy": "exclusive"}])
    alone = {package["package_id"]: attempt(variables, package) for package in packages}
    return {
        "host": host["environment"],
        "plugin": plugin["environment"],
        "merged": dict(merged),
        "path": merged["PATH"],
        "clash": attempt(merged.extend, [{"name": "PATH", "value": "/x", "merge_policy": "exclusive"}]),
        "other_platform": attempt(merged.extend, {"platform": "windows", "environment": host["environment"]}),
        "unmergeable": {key: outcome for key, outcome in alone.items() if "raised" in outcome},
    }


def variables(package: dict[str, object]) -> int:
    return len(dict(package_environment.PackageEnvironment(package)))


def hardware(records: list[dict[str, object]]) -> dict[str, object]:
    found = hardware_set.HardwareSet(records)
    labels = found.labels()
    answer = {
        "labels": labels,
        "categories": found.number_of_categories(),
        "names": sorted(found.instance_types),
        "found": found.find("n1-standard-8"),
        "not_found": found.find("no-such-machine"),
        "in_category": found.find("n1-standard-8", category=labels[0]),
        "category": [machine["name"] for machine in found.find_category(labels[0])["content"]],
        "with_gpu": sorted(machine["name"] for machine in found.find_all(lambda machine: machine["gpu"])),
        "first_large": found.find_first(lambda machine: machine["cores"] >= 32),
        "model": found.get_model(),
        "with_misc": found.get_model(with_misc=True),
        "flat": hardware_set.flatten_dict({"gpu": {"gpu_count": 1}, "cores": 4}),
    }
    found.recategorize(lambda machine: [{"label": "big" if machine["cores"] >= 16 else "small", "order": 1}])
    answer["labels_by_size"] = sorted(found.labels())
    return answer


def main() -> None:
    product = json.load(sys.stdin)
    packages = api_client.request_software_packages()
    records = api_client.request_instance_types()
    answer = {
        "packages": packages,
        "records": records,
        "data": singleton(product),
        "tree": tree(json.loads(json.dumps(packages)), product),
        "environments": environments(json.loads(json.dumps(packages))),
        "hardware": hardware(json.loads(json.dumps(records))),
    }
    print()
    print(json.dumps(answer, default=sorted))


main()
