"""Download jobs with this project's client. In: their ids. Out: how many files came, and what went wrong."""

from __future__ import annotations

import json
import sys

from conductor.lib.api_client import ApiClient
from conductor.lib.downloader import Downloader

with ApiClient() as client:
    report = Downloader(client).download(json.load(sys.stdin))
print(json.dumps({"fetched": report.fetched, "errors": [str(error) for error in report.errors]}))
