"""`packages.list` (wire reference 2.1)."""

from __future__ import annotations

from flask import Blueprint, Response

from conductor_mock.context import served

packages = Blueprint("packages", __name__)


@packages.get("/api/v1/ee/packages", endpoint="list")
def list_() -> Response:
    """Every package. The query `all=true,` that newer clients send changes nothing (trap 15)."""
    return Response(served().packages, mimetype="application/json")
