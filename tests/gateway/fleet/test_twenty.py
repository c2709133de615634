"""The run with twenty gateways (`make fleet`), with four of them and for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.fleet.stores import KINDS
from tests.gateway.fleet.twenty import run

pytestmark = [pytest.mark.broker, pytest.mark.store, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("store", KINDS)
def test_four_gateways_join_are_upgraded_and_lose_nothing(tmp_path: Path, store: str) -> None:
    outcome = run(tmp_path, gateways=4, rate=25.0, seconds=5.0, store=store, roll_outs=store == KINDS[0])
    assert outcome.notes == []
    assert (outcome.lost, outcome.twice) == (0, 0)
    assert outcome.made == outcome.stored > 100
