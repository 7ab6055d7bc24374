"""`packages.list`, `projects.list`, `instance_types.list`, `env_vars.list` (wire reference 2.1 to 2.4)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from conductor_mock.catalog import filters, record_filters
from conductor_mock.catalog.filters import FilterError
from conductor_mock.context import caller, catalog, served
from conductor_mock.errors import Detail, Refusal, bad_request

packages = Blueprint("packages", __name__)
projects = Blueprint("projects", __name__)
instance_types = Blueprint("instance_types", __name__)
env_vars = Blueprint("env_vars", __name__)


@packages.get("/api/v1/ee/packages", endpoint="list")
def list_packages() -> Response:
    """Every package. The query `all=true,` that newer clients send changes nothing (trap 15)."""
    return _json(served().packages)


@projects.get("/api/v1/projects/", endpoint="list")
def list_projects() -> Response | dict[str, object]:
    """Every project that fits `filter`, inactive ones too: clients choose by `status`."""
    text = request.args.get("filter", "")
    if not text:
        return _json(served().projects)
    try:
        wanted = record_filters.parse(text)
    except FilterError as error:
        raise _wrong_filter(error) from None
    of_account = {"account_id": caller().account_id}
    return {"data": [record for record in catalog().projects if wanted.matches({**record, **of_account})]}


@instance_types.get("/api/v1/instance-types", endpoint="list")
def list_instance_types() -> Response | dict[str, object]:
    """Every instance type that fits `filter`."""
    text = request.args.get("filter", "")
    if not text:
        return _json(served().instance_types)
    try:
        wanted = filters.parse(text)
    except FilterError as error:
        raise _wrong_filter(error) from None
    return {"data": [record for record in catalog().instance_types if wanted.matches(record)]}


@env_vars.get("/api/v1/integrations/env-vars-configs", endpoint="list")
def list_env_vars() -> dict[str, object]:
    """The environment of the account. Its id is text: clients never match a number (trap 18)."""
    return {"data": [{"account_id": caller().account_id, "env": list(catalog().env_vars)}]}


def _wrong_filter(error: FilterError) -> Refusal:
    return bad_request(f"filter: {error}", Detail("filter", str(error)))


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
