"""`instance_types.list` (wire reference 2.3)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from conductor_mock.api.queries import filtered_by
from conductor_mock.catalog import filters
from conductor_mock.context import catalog, served

instance_types = Blueprint("instance_types", __name__)


@instance_types.get("/api/v1/instance-types", endpoint="list")
def list_() -> Response | dict[str, object]:
    """Every instance type that fits `filter`."""
    if not request.args.get("filter"):
        return Response(served().instance_types, mimetype="application/json")
    fits = filtered_by(filters.parse).matches
    return {"data": [record for record in catalog().instance_types if fits(record)]}
