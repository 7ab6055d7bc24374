"""What was used. In: first and last day as ISO texts. Out: compute and storage usage by day, or the error."""

import json
import sys
from datetime import datetime

from ciocore import api_client  # type: ignore[import-not-found]


def main() -> None:
    start, end = (datetime.fromisoformat(day) for day in json.load(sys.stdin))
    answer = {}
    for name in ("get_compute_usage", "get_storage_usage"):
        try:
            answer[name] = getattr(api_client, name)(start, end)
        except Exception as error:  # noqa: BLE001 - the test wants to know
            answer[name] = {"raised": type(error).__name__, "message": str(error)}
    print(json.dumps(answer))


main()
