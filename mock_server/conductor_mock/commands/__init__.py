"""The commands of `conductor-mock` that ask a running server, through its control API."""

from conductor_mock.commands.bundle import bundle
from conductor_mock.commands.clock import clock
from conductor_mock.commands.faults import faults
from conductor_mock.commands.jobs import jobs
from conductor_mock.commands.requests import requests
from conductor_mock.commands.reset import reset

COMMANDS = (bundle, clock, faults, jobs, requests, reset)

__all__ = ["COMMANDS", "bundle", "clock", "faults", "jobs", "requests", "reset"]
