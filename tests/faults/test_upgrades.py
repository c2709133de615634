"""The quickest part of the row of the matrix that kills upgrades."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.upgrades import upgrades


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_upgrade_that_is_killed_leaves_the_old_or_the_new_version_running(tmp_path: Path) -> None:
    outcome = upgrades(tmp_path / "m", times=2, seed=11, progress=lambda _done: None)
    assert outcome.made > 100
    assert outcome.good, outcome
