"""Records with everything odd that published and real ones have, all at once (wire reference 12.1, 12.6 and 12.8)."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]


def package(package_id: str, product: str, version: str, **fields: object) -> Record:
    """A record of today, changed by `fields`."""
    parts = ("major_version", "minor_version", "release_version", "build_version")
    return {
        "package_id": package_id,
        "product": product,
        "platform": "linux",
        **dict(zip(parts, [*version.split("."), "", "", ""], strict=False)),
        "plugin_host_product": "",
        "plugin_host_version": "",
        "plugin_hosts": [],
        "plugins": [],
        "environment": [],
        "relative_path": product,
        **fields,
    }


def as_published() -> Record:
    """A catalogue document of such records: packages, projects and machines."""
    whole = [{"name": "ABORT_ON_LICENSE_FAIL", "value": 1, "merge_policy": "exclusive"}]
    brush = {"plugin_host_product": "painter", "plugin_host_version": "1_0", "plugin_hosts": ["id_1"]}
    hairs = {"plugin_host_product": "brush", "plugin_host_version": "any", "plugin_hosts": ["id_2"]}
    machine = {
        "cores": 8,
        "memory": 64,
        "operating_system": "linux",
        "categories": [{"label": "high", "order": 3}],
    }
    gpu = {"gpu_count": 8, "gpu_model": "V100", "gpu_memory": "128GB"}
    batch = {"cpu": 8, "cloud": "aws", "orchestrator": "batch"}
    return {
        "packages": [
            package("id_1", "paint", "1.0", plugins=["id_2"]),
            package("id_2", "brush-paint", "2.1.0.2", plugins=["id_3"], **brush),
            package("id_3", "hairs", "1", environment=whole, **hairs),
            package("id_4", "orphan", "2", plugin_host_product="nobody", plugin_host_version="7"),
        ],
        "projects": [
            {"id": 5_768_371_074_924_544, "name": "default", "status": "active", "created": None},
            {"id": "2", "name": "0010", "status": "archived"},
        ],
        "instance_types": [
            {**machine, "name": "cw-a-8", "description": "A", "categories": None},
            {**machine, "name": "cw-b-8", "description": "B", "gpu": gpu},
            {**machine, "name": "cw-c-8", "description": "C", "gpu": None, **batch},
        ],
    }
