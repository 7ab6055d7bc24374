"""What was used. In: first and last day as ISO texts. Out: compute and storage usage by day, or the error."""

import datetime
import json
import sys

from ciocore import api_client


def main() -> None:
    start, end = (datetime.datetime.fromisoformat(day) for day in json.load(sys.stdin))
    answer = {}
    for name in ("get_compute_usage", "get_storage_usage"):
        try:
            answer[name] = getattr(api_client, name)(start, end)
        except Exception as error:
            answer[name] = {"raised": type(error).__name__, "message": str(error)}
    print(json.dumps(answer))


main()
