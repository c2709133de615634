"""The order of versions is the package manager's own."""

from __future__ import annotations

import shutil
import subprocess
from itertools import product

import pytest

from gateway.machine.version_order import order

VERSIONS = (
    "0.9.1", "0.9.10", "0.10.0~", "0.10.0~rc1", "0.10.0~rc10", "0.10.0", "0.10.0.1", "0.10.0+1", "0.10.0+a", "0.10.0-1",
    "0.10.0a", "0.10", "1", "1.0~~", "1.0~", "1.0a+", "00.9.1",
)  # fmt: skip


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs Debian's dpkg")
def test_any_two_stand_as_dpkg_has_them() -> None:
    for one, other in product(VERSIONS, repeat=2):
        found = subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=False).returncode == 0
        assert (order(one) < order(other)) == found, (one, other)
