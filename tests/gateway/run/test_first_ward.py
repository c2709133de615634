"""A data folder that was emptied looks like a first start; the broker knows better, at once or once it is heard."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from config.settings import Settings, Site
from gateway.ward.kept_ward import ward_path
from gateway.ward.registry import read_state
from gateway.wire.receipt import Receipt
from tests.gateway.run.test_ward import FIRST_BPM, NEIGHBOUR_BPM, TOPICS, Wearer, audit, running, settings, until
from tests.servers import Child, leave_broker

__all__ = ["settings"]

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


def notices(status: Any) -> list[str]:
    return [notice["text"] for notice in status.get("notices", {}).get("active", ()) if "ward before" in notice["text"]]


def elsewhere(settings: Settings, folder: Path) -> Settings:
    """Return the same gateway with a data folder in which nothing is."""
    return settings.model_copy(update={"site": Site(data=folder)})


async def test_in_an_emptied_folder_nobody_is_measured_in_a_bed_of_the_file(
    settings: Settings, tmp_path: Path, mosquitto: Child
) -> None:
    async with running(settings, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM)) as gateway:
        await until(lambda: gateway.status.get("publisher", {}).get("sent"))
    again = elsewhere(settings, tmp_path / "empty")
    async with running(again, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM)) as gateway:
        await until(lambda: notices(gateway.status))
        assert (gateway.steps.pipeline.ward, gateway.status["registry"]) == ((), {"file_differs": False})
        assert "take them over with 'rehab-gateway ward import'" in notices(gateway.status)[0]
    ward = read_state(ward_path(again))
    assert ([bed.id for bed in ward.beds], ward.subjects) == (["bay-1", "bay-2"], ())
    assert [(e["change"], e["from"]) for e in audit(again) if e["what"] == "ward-changed"] == [("vacated", "trace")]
    with closing(sqlite3.connect(again.site.data / "outbox.db")) as db:
        assert db.execute("SELECT count(*) FROM metrics").fetchone() == (0,)


async def test_a_broker_that_was_away_at_the_start_tells_it_later(settings: Settings, mosquitto: Child) -> None:
    mosquitto.end()
    async with running(settings, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM)) as gateway:
        await until(lambda: gateway.status)
        assert [bed.slot.subject for bed in gateway.steps.pipeline.ward] == ["p-1", "p-2"]  # for all that is known
        await asyncio.to_thread(mosquitto.start)
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect("127.0.0.1", mosquitto.port)
        client.loop_start()
        before = Receipt(epoch="0123456789abcdef", stored=812, received=812)
        client.publish(f"{TOPICS}/stored", before.encode(), 1, retain=True)
        await until(lambda: gateway.steps.pipeline.ward == ())
        await until(lambda: notices(gateway.status))
        assert re.search(r"what stands under bay-1-\S+, bay-2-\S+ may be of others", notices(gateway.status)[0])
        leave_broker(client)
    assert read_state(ward_path(settings)).subjects == ()
    entries = [entry for entry in audit(settings) if entry["what"] == "ward-changed"]
    assert [(entry["change"], entry["from"]) for entry in entries] == [("vacated", "trace")]
