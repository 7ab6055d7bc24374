"""What `make test-fast` leaves out of the folders that it runs."""

from __future__ import annotations

SLOW = (
    "tests/client/test_printing.py",
    "tests/contracts/test_cli.py",
    "tests/contracts/test_output.py",
    "tests/contracts/test_schemathesis.py",
    "tests/contracts/test_server.py",
    "tests/contracts/test_strategies.py",
    "tests/contracts/test_verify.py",
    "tests/contracts/test_wrong_answers.py",
    "tests/mock_server/test_actions.py",
    "tests/mock_server/test_bad_input.py",
    "tests/mock_server/test_bad_starts.py",
    "tests/mock_server/test_bundles.py",
    "tests/mock_server/test_concurrency.py",
    "tests/mock_server/test_crash.py",
    "tests/mock_server/test_crash_of_a_run.py",
    "tests/mock_server/test_ending_signals.py",
    "tests/mock_server/test_error_shape.py",
    "tests/mock_server/test_execution.py",
    "tests/mock_server/test_execution_dask.py",
    "tests/mock_server/test_execution_processes.py",
    "tests/mock_server/test_execution_restart.py",
    "tests/mock_server/test_fault_kinds.py",
    "tests/mock_server/test_handed_out.py",
    "tests/mock_server/test_jobs_api.py",
    "tests/mock_server/test_mails.py",
    "tests/mock_server/test_serving.py",
    "tests/mock_server/test_signed_urls.py",
    "tests/mock_server/test_simulation_laws.py",
    "tests/mock_server/test_state_machine.py",
    "tests/mock_server/test_stops.py",
    "tests/mock_server/test_traps.py",
)
"""Files whose tests start processes, or take more than two seconds together: `tests/conftest.py` marks them `slow`."""
