"""`packages.list`, `projects.list`, `instance_types.list`: what the catalogue offers (wire reference 2.1 to 2.3)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from conductor_mock.api.context import service
from conductor_mock.catalog.filters import FilterError, parse
from conductor_mock.errors import Detail, bad_request

packages = Blueprint("packages", __name__)
projects = Blueprint("projects", __name__)
instance_types = Blueprint("instance_types", __name__)


@packages.get("/api/v1/ee/packages", endpoint="list")
def list_packages() -> Response:
    """Every package. The query `all=true,` that newer clients send changes nothing (trap 15)."""
    return _json(service().served.packages)


@projects.get("/api/v1/projects/", endpoint="list")
def list_projects() -> Response:
    """Every project, inactive ones too: clients choose by `status`."""
    return _json(service().served.projects)


@instance_types.get("/api/v1/instance-types", endpoint="list")
def list_instance_types() -> Response | dict[str, object]:
    """Every instance type that fits `filter`."""
    text = request.args.get("filter", "")
    if not text:
        return _json(service().served.instance_types)
    try:
        wanted = parse(text)
    except FilterError as error:
        raise bad_request(f"filter: {error}", Detail("filter", str(error))) from None
    return {"data": [record for record in service().catalog.instance_types if wanted.matches(record)]}


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
