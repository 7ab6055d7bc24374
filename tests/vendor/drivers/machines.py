"""Machines as a menu shows them. Out: whether all data is valid, the names of the records, and what the menu holds."""

import json

from ciocore import api_client, data  # type: ignore[import-not-found]


def main() -> None:
    names = [record["name"] for record in api_client.request_instance_types()]
    data.init()
    menu = data.data()["instance_types"].get_model()
    shown = sorted(item["value"] for category in menu for item in category["content"])
    print(json.dumps({"valid": data.valid(), "names": names, "shown": shown}))


main()
