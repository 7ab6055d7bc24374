"""The control API as one blueprint: who may call, what a call may hold, and the resources.

A blueprint within it and its function are named as `control.yaml` names the operation: `control.clock.move` is `move`
of the blueprint `clock`.
"""

from __future__ import annotations

from flask import Blueprint

from conductor_mock.control.account import account
from conductor_mock.control.bundle import bundle
from conductor_mock.control.catalog import catalog
from conductor_mock.control.clock import clock
from conductor_mock.control.contracts import contracts
from conductor_mock.control.faults import faults
from conductor_mock.control.files import files
from conductor_mock.control.guard import guard
from conductor_mock.control.health import health
from conductor_mock.control.jobs import jobs
from conductor_mock.control.mails import mails
from conductor_mock.control.options import options
from conductor_mock.control.outcomes import outcomes
from conductor_mock.control.requests import requests
from conductor_mock.control.tasks import tasks
from conductor_mock.control.validation import validate

control = Blueprint("control", __name__, url_prefix="/_mock")
control.before_request(guard)
control.before_request(validate)
control.register_blueprint(account)
control.register_blueprint(bundle)
control.register_blueprint(catalog)
control.register_blueprint(clock)
control.register_blueprint(contracts)
control.register_blueprint(faults)
control.register_blueprint(files)
control.register_blueprint(health)
control.register_blueprint(jobs)
control.register_blueprint(mails)
control.register_blueprint(options)
control.register_blueprint(outcomes)
control.register_blueprint(requests)
control.register_blueprint(tasks)
