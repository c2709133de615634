from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.delivery.history_watch import ANOTHER_AFTER_S, GROWS_S, MOST_NOTED, HistoryWatch
from gateway.outbox.outbox import Outbox
from gateway.wire.receipt import Receipt


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db")
    yield made
    made.close()


def replaced(outbox: Outbox, number: int) -> Receipt:
    return Receipt(epoch=outbox.epoch, stored=0, received=0, history=f"{number:016x}", opened=1)


def histories_noted(outbox: Outbox) -> list[object]:
    """Return what was noted since the last look."""
    return [incident.fields["history"] for incident in outbox.incidents.drain()]


def test_no_incident_is_forgotten_because_there_were_many(outbox: Outbox) -> None:
    """Beyond so many at once they come one by one, the newest of what waited; a forger fills no audit."""
    now = [0.0]
    watch = HistoryWatch(outbox, monotonic=lambda: now[0])
    for number in range(3 * MOST_NOTED):
        watch.own_epoch("", replaced(outbox, number), retained=False)
    assert len(histories_noted(outbox)) == MOST_NOTED
    last = replaced(outbox, 3 * MOST_NOTED - 1)
    watch.own_epoch("", last, retained=False)
    assert histories_noted(outbox) == []
    now[0] += ANOTHER_AFTER_S
    watch.own_epoch("", last, retained=False)
    watch.own_epoch("", last, retained=False)
    assert histories_noted(outbox) == [last.history]


def test_an_outbox_that_is_not_here_and_goes_on_growing_is_another_gateway_of_this_name(outbox: Outbox) -> None:
    now = [0.0]
    watch = HistoryWatch(outbox, monotonic=lambda: now[0])

    def heard(stored: int) -> list[str]:
        watch.other_epoch(Receipt(epoch="f" * 16, stored=stored))
        return [incident.what for incident in outbox.incidents.drain()]

    assert heard(10) == ["outbox-missing"]
    now[0] = GROWS_S / 2
    assert heard(20) == []  # what the broker still had of it
    now[0] = GROWS_S
    assert heard(20) == []  # the same once more is no growing
    assert heard(21) == ["another-gateway"]
    assert heard(22) == []
