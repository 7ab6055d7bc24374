"""What `make test-fast` leaves out of the folders that it runs."""

from __future__ import annotations

SLOW = (
    "client/test_printing.py",
    "contracts/test_cli.py",
    "contracts/test_output.py",
    "contracts/test_schemathesis.py",
    "contracts/test_server.py",
    "contracts/test_strategies.py",
    "contracts/test_verify.py",
    "contracts/test_wrong_answers.py",
    "mock_server/test_actions.py",
    "mock_server/test_bad_input.py",
    "mock_server/test_bundles.py",
    "mock_server/test_concurrency.py",
    "mock_server/test_crash.py",
    "mock_server/test_crash_of_a_run.py",
    "mock_server/test_error_shape.py",
    "mock_server/test_execution.py",
    "mock_server/test_execution_dask.py",
    "mock_server/test_execution_processes.py",
    "mock_server/test_execution_restart.py",
    "mock_server/test_fault_kinds.py",
    "mock_server/test_handed_out.py",
    "mock_server/test_jobs_api.py",
    "mock_server/test_mails.py",
    "mock_server/test_serving.py",
    "mock_server/test_signed_urls.py",
    "mock_server/test_simulation_laws.py",
    "mock_server/test_state_machine.py",
    "mock_server/test_traps.py",
)
"""Files whose tests start processes, or take more than two seconds together: `tests/conftest.py` marks them `slow`."""
