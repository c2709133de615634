"""What Home Assistant is told: valid by the schema of its discovery, nobody in it, taken back when it is over.

The schema is that of Home Assistant's MQTT integration (its documentation, and ``components/mqtt/schemas.py``): what a
device discovery message has to have, and may have, in our own words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from config.checks import MOST_AT_HOME, check
from config.home_assistant import HomeAssistant as Wanted
from config.settings import Broker, Settings, Site, Slot
from dsp.catalogue import CATALOGUE
from gateway.broker.access_list import access_list
from gateway.delivery.publisher import Publisher
from gateway.model.measurement import Measurement
from gateway.outbox.outbox import Outbox
from gateway.status.home_assistant import FRESH_S, MEASURED, NAME, UNITS, HomeAssistant
from gateway.wire.topics import Topics
from tests.gateway.samples import measurement
from tests.servers import Child, leave_broker, retained, wait_until
from tests.small_disk import small_disk

STATUS: Any = {
    "gateway": "g-1", "state": "online", "simulated": False,
    "slots": [{"id": "bay-1", "label": "Bedroom", "subject": "p-017", "session": "s-1"}],
    "devices": [
        {"id": "hr-1", "slot": "bay-1", "placement": "chest", "state": "streaming", "battery": 81.6},
        {"id": "dot-1", "slot": "bay-1", "placement": "left_foot", "state": "searching", "battery": None},
    ],
    "outbox": {"depth": 12}, "notices": {"active": [{}]}, "machine": {"temperature_c": 51.3},
}  # fmt: skip

REQUIRED = {"device", "origin", "components"}
SHARED = {"availability", "state_topic", "qos", "encoding"}
DEVICE = {"identifiers", "connections", "manufacturer", "model", "name", "via_device", "sw_version", "hw_version"}
SENSOR = {"platform", "name", "unique_id", "value_template", "expire_after", "entity_category", "device_class",
          "state_class", "unit_of_measurement"}  # fmt: skip
BINARY_SENSOR = SENSOR - {"state_class", "unit_of_measurement"}
TEMPLATE = re.compile(r"\{\{ value_json\['([\w-]+)'\] \| default\(none\) \}\}")
NODE = re.compile(r"[A-Za-z0-9_-]+")


class Home:
    """What was announced and said, and a clock that goes as it is told."""

    def __init__(self, folder: Path, *, on: bool = True) -> None:
        self.kept: dict[str, bytes] = {}
        self.said: list[tuple[str, Any]] = []
        self.now = 1000.0
        self.settings = Settings(site=Site(site="flat", gateway="g-1", data=folder), home_assistant=Wanted(enabled=on))
        self.assistant = HomeAssistant(
            self.settings, self.keep, lambda topic, raw: self.said.append((topic, json.loads(raw))),
            clock=lambda: self.now,
        )  # fmt: skip

    def keep(self, topic: str, payload: bytes) -> None:
        if payload:
            self.kept[topic] = payload
        else:
            self.kept.pop(topic, None)

    def look(self, status: Any = STATUS) -> dict[str, Any]:
        """Let five seconds pass and return what is announced, by the last but one level of its topic."""
        self.now += 5
        self.assistant.look(status)
        return {topic.split("/")[-2]: json.loads(raw) for topic, raw in self.kept.items()}

    def values(self, slot: str) -> dict[str, Any]:
        found = [value for topic, value in self.said if topic == f"rehab/v1/flat/g-1/home/{slot}"]
        assert found
        newest: dict[str, Any] = found[-1]
        return newest


def heart_rate(value: float = 71.4) -> Measurement:
    return replace(measurement(value=value), metric="heart_rate", side="none", unit="/min")


def check_schema(topic: str, payload: dict[str, Any]) -> None:
    """Hold a discovery message against what Home Assistant asks for."""
    prefix, component, node, name, config = topic.split("/")
    assert (prefix, component, config) == ("homeassistant", "device", "config")
    assert NODE.fullmatch(node)
    assert NODE.fullmatch(name)
    assert payload.keys() >= REQUIRED
    assert payload.keys() <= REQUIRED | SHARED
    assert payload["device"].keys() <= DEVICE
    assert payload["device"]["identifiers"]
    assert payload["origin"]["name"] == "rehab-gateway"
    for way in payload["availability"]:
        assert way.keys() <= {"topic", "value_template", "payload_available", "payload_not_available"}
        assert way["topic"] == "rehab/v1/flat/g-1/status"
    for key, entity in payload["components"].items():
        allowed = {"sensor": SENSOR, "binary_sensor": BINARY_SENSOR}[entity["platform"]]
        assert entity.keys() <= allowed
        assert entity["unique_id"].startswith(f"{node}-{name}-")
        read = TEMPLATE.fullmatch(entity["value_template"])
        assert read
        assert read[1] == key
        if entity["platform"] == "sensor":
            assert entity["state_class"] == "measurement"


def test_what_is_announced_is_valid_and_names_nobody(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.assistant.add([heart_rate()])
    found = home.look()
    assert found.keys() == {"gateway", "bed_bay-1"}
    for topic, raw in home.kept.items():
        check_schema(topic, json.loads(raw))
        assert b"p-017" not in raw
        assert b"s-1" not in raw
    ids = [of["unique_id"] for device in found.values() for of in device["components"].values()]
    assert len(ids) == len(set(ids))
    bed = found["bed_bay-1"]
    assert bed["device"]["name"] == "Bedroom"
    assert bed["device"]["via_device"] in found["gateway"]["device"]["identifiers"]
    assert bed["components"]["heart_rate"]["unit_of_measurement"] == CATALOGUE["heart_rate"].unit_text
    assert bed["components"]["link_dot-1"]["device_class"] == "connectivity"
    assert bed["components"]["battery_hr-1"]["device_class"] == "battery"
    assert "battery_dot-1" not in bed["components"]  # it tells none


def test_values_are_said_where_the_templates_read_them(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.assistant.add([heart_rate(71.4)])
    bed = home.look()["bed_bay-1"]
    said = home.values("bay-1")
    assert said == {"heart_rate": 71, "link_hr-1": "ON", "link_dot-1": "OFF", "battery_hr-1": 82}
    assert said.keys() <= bed["components"].keys()
    assert home.values("_gateway") == {"notices": 1, "waiting": 12, "temperature": 51}


def test_what_is_old_invalid_or_of_one_side_is_not_shown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    one_side = replace(measurement(value=1.1), metric="walking_speed", side="left")
    home.assistant.add(
        [replace(heart_rate(), quality="invalid", reason="x"), one_side, replace(heart_rate(), value=None)]
    )
    assert not {"heart_rate", "walking_speed"} & home.look()["bed_bay-1"]["components"].keys()
    home.assistant.add([heart_rate()])
    home.look()
    home.now += FRESH_S
    assert "heart_rate" in home.look()["bed_bay-1"]["components"]
    assert "heart_rate" not in home.values("bay-1")


def test_a_bed_is_withdrawn_with_whoever_leaves_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.assistant.add([heart_rate()])
    home.look()
    another = deepcopy(STATUS)
    another["slots"][0]["subject"] = "p-018"
    assert "heart_rate" not in home.look(another)["bed_bay-1"]["components"]
    assert "heart_rate" not in home.values("bay-1")
    assert home.look({**STATUS, "slots": [], "devices": []}).keys() == {"gateway"}


def test_switched_off_it_says_nothing_and_takes_back_what_an_earlier_run_has_announced(tmp_path: Path) -> None:
    first = Home(tmp_path)
    first.look()
    off = Home(tmp_path, on=False)
    off.kept = dict(first.kept)
    off.assistant.add([heart_rate()])
    assert off.look() == {}
    assert off.said == []
    off.assistant.close(told=False)  # the broker was away: once more at the next start
    assert (tmp_path / NAME).exists()
    off.assistant.close(told=True)
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2]", b"\xff"])
def test_a_damaged_list_of_what_was_announced_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert Home(tmp_path).look().keys() == {"gateway", "bed_bay-1"}


def test_a_full_disk_ends_nothing_and_what_was_announced_is_kept_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data") as disk:
        home = Home(disk.folder)
        home.look()
        kept = (disk.folder / NAME).read_bytes()
        disk.fill()
        home.look({**STATUS, "slots": []})
        assert (disk.folder / NAME).read_bytes() == kept  # else nobody would take back what it names
        disk.make_room()
        for _ in range(13):
            home.look({**STATUS, "slots": []})
        assert len(json.loads((disk.folder / NAME).read_bytes())) == 1


def test_simulated_data_says_so_there(tmp_path: Path) -> None:
    found = Home(tmp_path).look({**STATUS, "simulated": True})
    assert all(of["device"]["name"].endswith("(simulated)") for of in found.values())


@pytest.mark.parametrize(("metric", "device_class"), MEASURED.items())
def test_every_unit_is_one_that_its_class_takes(metric: str, device_class: str | None) -> None:
    assert device_class is None or CATALOGUE[metric].unit_text in UNITS[device_class]


def test_it_is_for_a_home(tmp_path: Path) -> None:
    del tmp_path
    beds = [Slot(id=f"bay-{i}", subject=f"p-{i}") for i in range(MOST_AT_HOME + 1)]
    for on, most, wrong in ((True, len(beds), True), (True, MOST_AT_HOME, False), (False, len(beds), False)):
        settings = Settings(slot=beds[:most], home_assistant=Wanted(enabled=on))
        found = [text for _, text in check(settings, None)]
        assert any("for a home" in text for text in found) is wrong
        assert any("broker.embedded = false" in text for text in found) is on


def test_the_access_list_lets_a_gateway_announce_itself_and_home_assistant_read_no_more() -> None:
    without = access_list("flat", ["g-1"], ["h"], ["d"])
    assert "homeassistant" not in without
    lists = access_list("flat", ["g-1"], ["h"], ["d"], home_assistant="ha")
    assert "topic write homeassistant/device/rehab-flat-g-1/+/config" in lists
    block = lists.partition("user ha\n")[2].splitlines()
    assert block == [
        "topic read rehab/v1/flat/+/status", "topic read rehab/v1/flat/+/home/+", "topic read homeassistant/#",
        "topic write homeassistant/status",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="two of them"):
        access_list("flat", ["g-1"], ["h"], ["d"], home_assistant="d")


@pytest.fixture
def publisher(mosquitto: Child, tmp_path: Path) -> Iterator[Publisher]:
    outbox = Outbox(tmp_path / "outbox.db", commit_s=0.02)
    made = Publisher(outbox, Topics("flat", "g-1"), Broker(embedded=False, port=mosquitto.port))
    made.start()
    yield made
    made.stop()
    outbox.close()


@pytest.mark.broker
def test_over_a_real_broker_they_are_kept_said_again_and_taken_back(
    mosquitto: Child, publisher: Publisher, tmp_path: Path
) -> None:
    settings = Settings(site=Site(site="flat", gateway="g-1", data=tmp_path), home_assistant=Wanted(enabled=True))
    assistant = HomeAssistant(settings, publisher.keep, publisher.publish_live)
    wait_until(lambda: publisher.state().connected)
    heard: dict[str, tuple[bytes, bool]] = {}

    def note(_client: Client, _data: object, message: MQTTMessage) -> None:
        heard[message.topic] = (bytes(message.payload), message.retain)

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = note
    client.connect("127.0.0.1", mosquitto.port)
    client.subscribe([("homeassistant/#", 1), ("rehab/v1/flat/+/home/+", 0)])
    client.loop_start()
    assistant.add([heart_rate()])
    assistant.look(STATUS)
    bed, values = "homeassistant/device/rehab-flat-g-1/bed_bay-1/config", Topics("flat", "g-1").home("bay-1")
    wait_until(lambda: bed in heard and values in heard)
    assert json.loads(heard[values][0])["heart_rate"] == 71
    leave_broker(client)

    topics = ("homeassistant/#", "rehab/v1/flat/+/home/+")
    # Values are not kept.
    assert retained(mosquitto.port, *topics).keys() == {bed, bed.replace("bed_bay-1", "gateway")}
    off = settings.model_copy(update={"home_assistant": Wanted(enabled=False)})
    ending = HomeAssistant(off, publisher.keep, publisher.publish_live)
    ending.look(STATUS)
    wait_until(lambda: not retained(mosquitto.port, *topics))
    ending.close(told=publisher.state().connected)
    assert not (tmp_path / NAME).exists()
