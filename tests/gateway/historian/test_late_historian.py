"""A historian that connects to a fresh broker later than the gateway: what the broker kept for nobody comes soon."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from config.settings import Broker, Settings, Site
from config.settings import Historian as HistorianSettings
from gateway.delivery.publisher import Publisher
from gateway.delivery.resend import AFTER_S
from gateway.historian.historian import Historian
from gateway.history.reader import HistoryReader
from gateway.outbox.outbox import Outbox
from gateway.wire.topics import Topics
from tests.gateway.samples import ward
from tests.servers import Child, wait_until

pytestmark = pytest.mark.broker

EARLY, MORE_S = 200, 0.3


def test_what_was_published_before_it_came_is_stored_within_seconds(mosquitto: Child, tmp_path: Path) -> None:
    settings = Settings(
        site=Site(site="demo", gateway="g-1", data=tmp_path),
        broker=Broker(embedded=False, port=mosquitto.port),
        historian=HistorianSettings(keep_days=36_500),
    )
    outbox = Outbox(tmp_path / "outbox.db", commit_s=0.02, gateway="g-1")
    publisher = Publisher(outbox, Topics("demo", "g-1"), settings.broker, rng=random.Random(1))
    publisher.start()
    outbox.append(ward(EARLY), urgent=True)
    wait_until(lambda: publisher.state().taken >= EARLY)
    historian = Historian(settings, rng=random.Random(2))
    historian.start()
    wait_until(lambda: historian.state().connected)
    began, made = time.monotonic(), EARLY
    while outbox.state().released_seq < EARLY and time.monotonic() - began < AFTER_S:
        outbox.append(ward(4, seed=made), urgent=True)  # life goes on: the historian speaks
        made += 4
        time.sleep(MORE_S)
    assert time.monotonic() - began < AFTER_S / 2
    wait_until(lambda: not outbox.state().depth)
    publisher.stop()
    outbox.close()
    historian.stop()
    reader = HistoryReader(settings.history_file)
    assert (reader.count(), reader.gaps()) == (made, [])
    reader.close()
