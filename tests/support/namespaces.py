"""Disks of a test's own: what is mounted in a namespace is seen by its programs alone."""

from __future__ import annotations

import subprocess

import pytest

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc"]
"""A shell that may mount, and whose mounts nobody else sees."""


def needs_namespaces() -> None:
    """Skip the test where nobody may have such a shell."""
    try:
        tried = subprocess.run(
            [*NAMESPACE, "mount -t tmpfs none /mnt && setpriv --version"], capture_output=True, check=False
        )
    except FileNotFoundError:
        tried = None
    if tried is None or tried.returncode:
        pytest.skip("this system lets nobody mount in a namespace of their own")
