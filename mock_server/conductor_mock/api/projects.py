"""`projects.list` (wire reference 2.2)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from conductor_mock.api import record_filters
from conductor_mock.api.queries import filtered_by
from conductor_mock.context import caller, catalog, served

projects = Blueprint("projects", __name__)


@projects.get("/api/v1/projects/", endpoint="list")
def list_() -> Response | dict[str, object]:
    """Every project that fits `filter`, inactive ones too: clients choose by `status`."""
    if not request.args.get("filter"):
        return Response(served().projects, mimetype="application/json")
    fits = filtered_by(record_filters.parse).matches
    of_account = {"account_id": caller().account_id}
    return {"data": [record for record in catalog().projects if fits({**record, **of_account})]}
