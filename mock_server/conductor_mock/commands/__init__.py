"""The commands of `conductor-mock` that ask a running server, through its control API."""

from conductor_mock.commands.bundle import bundle
from conductor_mock.commands.catalog import catalog
from conductor_mock.commands.clock import clock
from conductor_mock.commands.faults import faults
from conductor_mock.commands.files import files
from conductor_mock.commands.jobs import jobs
from conductor_mock.commands.mails import mails
from conductor_mock.commands.options import options
from conductor_mock.commands.outcomes import outcomes
from conductor_mock.commands.requests import requests
from conductor_mock.commands.reset import reset

COMMANDS = (bundle, catalog, clock, faults, files, jobs, mails, options, outcomes, requests, reset)

__all__ = [
    "COMMANDS",
    "bundle",
    "catalog",
    "clock",
    "faults",
    "files",
    "jobs",
    "mails",
    "options",
    "outcomes",
    "requests",
    "reset",
]
