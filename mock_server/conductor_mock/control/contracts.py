"""The contracts of the service and of the control API, and on what evidence the first stands."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_contracts.contract import load_control
from conductor_mock.context import service as current_service

contracts = Blueprint("contracts", __name__)


@contracts.get("/openapi.json")
def service() -> dict[str, Any]:
    """The contract of the service, every field with its evidence grade."""
    return dict(current_service().contract.document)


@contracts.get("/control.json")
def control() -> dict[str, Any]:
    """The contract of the control API."""
    return dict(load_control().document)


@contracts.get("/fidelity")
def fidelity() -> dict[str, Any]:
    """Every operation and field of the service's contract with its evidence grade and source, as rows."""
    return {"fidelity": current_service().contract.fidelity()}
