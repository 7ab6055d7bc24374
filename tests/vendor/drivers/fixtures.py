"""The records of the client's own tests, which are installed with it. Out: packages, and each list of machines."""

import json

from tests import instance_type_fixtures, package_fixtures  # type: ignore[attr-defined]

machines = {
    name: value for name, value in vars(instance_type_fixtures).items() if name.endswith("INSTANCE_TYPES")
}
machines["CW_INSTANCE_TYPES_WITH_GPUS"] = instance_type_fixtures.CW_INSTANCE_TYPES_WITH_GPUS
print()
print(json.dumps({"packages": package_fixtures.SOFTWARE_DATA, "machines": machines}))
