"""Home Assistant: what a bed at home and its gateway look like there, by its MQTT discovery. Off by default.

Discovery messages are retained, one for each bed with somebody in it and one for the gateway (the device discovery of
Home Assistant's MQTT integration). They name beds and devices, never anybody. Values go to ``home/<slot>`` and
``home/_gateway``, flat JSON, every few seconds and not retained: what is older than five minutes is left out, and shown
as unknown there. A bed is withdrawn when nobody is in it any more, and all of it when this is switched off.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from config.settings import Settings
from dsp.catalogue import CATALOGUE
from gateway.machine.durable import replace_file
from gateway.model.measurement import Measurement
from gateway.model.status import DeviceStatus, Status
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

Entity = dict[str, Any]

NAME = "home-assistant.json"
"""In the data folder: the topics that were announced, to be emptied when this is switched off."""
EVERY_S = 5.0
FRESH_S = 300.0
NOTE_AGAIN_S = 60.0
EXPIRE_S = 60
"""Without a message for so long Home Assistant shows a value as unavailable."""
GATEWAY = "_gateway"
"""No slot has such an id."""

MEASURED: dict[str, str | None] = {
    "heart_rate": None, "pulse_rate": None, "spo2": None, "cadence": None, "walking_speed": "speed",
    "exercise_speed": "speed", "exercise_power": "power", "body_weight": "weight", "bp_systolic": "pressure",
    "bp_diastolic": "pressure", "body_temperature": "temperature",
}  # fmt: skip
"""Metrics that a home shows, with Home Assistant's device class where there is one for them."""
UNITS = {"speed": {"m/s", "km/h"}, "power": {"W"}, "weight": {"kg"}, "pressure": {"mmHg"}, "temperature": {"°C"}}
"""Units that those classes take, of ours (Home Assistant's sensor documentation)."""

Publish = Callable[[str, bytes], object]


class HomeAssistant:
    """Announces beds and gateway, says their values, withdraws what is gone.

    Args:
        settings: The configuration; whether this is switched on too.
        announce: Publishes a retained message that is said again to a broker that has forgotten it.
        say: Publishes a message once, or not at all while there is no broker.
        clock: Monotonic seconds.
    """

    def __init__(
        self, settings: Settings, announce: Publish, say: Publish, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._topics = Topics(settings.site.site, settings.site.gateway)
        self._prefix = settings.home_assistant.prefix
        self._on = settings.home_assistant.enabled
        self._announce, self._say, self._clock = announce, say, clock
        self._path = settings.site.data / NAME
        self._announced: dict[str, bytes] = dict.fromkeys(_kept_topics(self._path), b"")
        self._on_disk = set(self._announced)
        self._again_s = 0.0
        self._values: dict[str, dict[str, tuple[float, float]]] = {}
        self._subjects: dict[str, str] = {}
        self._next_s = 0.0

    def add(self, measurements: Iterable[Measurement]) -> None:
        """Keep what a home shows, the newest of each; what is invalid or of one side is not shown."""
        if not self._on:
            return
        now = self._clock()
        for m in measurements:
            if m.metric in MEASURED and m.value is not None and m.quality != "invalid" and m.side in {"both", "none"}:
                value = round(m.value, CATALOGUE[m.metric].digits)
                self._values.setdefault(m.slot, {})[m.metric] = (now, value)

    def look(self, status: Status) -> None:
        """Announce what is new, withdraw what is gone, and say the values."""
        beds = {bed["id"]: bed["subject"] for bed in status.get("slots", ())} if self._on else {}
        for slot in [slot for slot, subject in self._subjects.items() if beds.get(slot) != subject]:
            self._values.pop(slot, None)  # of whoever was there before
        self._subjects = beds
        self._publish_devices(dict(self._wanted(status)) if self._on else {})
        if not self._on or self._clock() < self._next_s:
            return
        self._next_s = self._clock() + EVERY_S
        for slot in beds:
            self._say(self._topics.home(slot), orjson.dumps(self._bed_values(slot, status)))
        self._say(self._topics.home(GATEWAY), orjson.dumps(_gateway_values(status)))

    def close(self, *, told: bool) -> None:
        """End; what was withdrawn is forgotten if the broker was there to be told of it."""
        if told and not self._on:
            self._path.unlink(missing_ok=True)

    def _publish_devices(self, wanted: dict[str, bytes]) -> None:
        before = set(self._announced)
        for topic in before - set(wanted):
            self._announce(topic, b"")
            del self._announced[topic]
        for topic, payload in wanted.items():
            if self._announced.get(topic) != payload:
                self._announce(topic, payload)
                self._announced[topic] = payload
        if self._on and self._on_disk != set(self._announced) and self._clock() >= self._again_s:
            self._note(set(self._announced))

    def _note(self, topics: set[str]) -> None:
        """Keep which topics are announced, so that a later run takes them back; a disk that is full is tried again."""
        try:
            replace_file(self._path, orjson.dumps(sorted(topics)))
        except OSError as error:
            log.warning("what Home Assistant was told of cannot be kept in %s: %s", self._path, error.strerror)
            self._again_s = self._clock() + NOTE_AGAIN_S
        else:
            self._on_disk = topics

    def _wanted(self, status: Status) -> Iterator[tuple[str, bytes]]:
        """Yield topic and payload of everything that is to be announced."""
        simulated = bool(status.get("simulated"))
        yield self._device("gateway", f"Gateway {self._topics.gateway}", GATEWAY, _of_gateway(), simulated=simulated)
        for bed in status.get("slots", ()):
            slot = bed["id"]
            devices = [of for of in status.get("devices", ()) if of["slot"] == slot]
            entities = (*_measured(self._values.get(slot, {})), *_of_devices(devices))
            yield self._device(f"bed_{slot}", bed["label"] or slot, slot, entities, simulated=simulated)

    def _device(
        self, name: str, title: str, state: str, entities: Iterable[tuple[str, Entity]], *, simulated: bool
    ) -> tuple[str, bytes]:
        """Return topic and payload of a device of Home Assistant."""
        node = f"rehab-{self._topics.site}-{self._topics.gateway}"
        device = {
            "identifiers": [f"{node}-{name}"], "name": f"{title} (simulated)" if simulated else title,
            "manufacturer": "rehab-gateway", "model": "Gateway" if state == GATEWAY else "Bed",
        }  # fmt: skip
        if state != GATEWAY:
            device["via_device"] = f"{node}-gateway"
        components = {
            key: {
                **of, "unique_id": f"{node}-{name}-{key}", "expire_after": EXPIRE_S,
                "value_template": f"{{{{ value_json['{key}'] | default(none) }}}}",
            }
            for key, of in entities
        }  # fmt: skip
        payload = {
            "device": device,
            "origin": {"name": "rehab-gateway"},
            "availability": [{"topic": self._topics.status, "value_template": "{{ value_json.state }}"}],
            "state_topic": self._topics.home(state),
            "components": components,
        }
        return f"{self._prefix}/device/{node}/{name}/config", orjson.dumps(payload)

    def _bed_values(self, slot: str, status: Status) -> dict[str, Any]:
        since = self._clock() - FRESH_S
        values: dict[str, Any] = {
            metric: value for metric, (at, value) in self._values.get(slot, {}).items() if at >= since
        }
        for device in status.get("devices", ()):
            if device["slot"] == slot:
                values[f"link_{device['id']}"] = "ON" if device["state"] == "streaming" else "OFF"
                if device["battery"] is not None:
                    values[f"battery_{device['id']}"] = round(device["battery"])
        return values


def _measured(values: Iterable[str]) -> Iterator[tuple[str, Entity]]:
    """Yield what has been measured of a bed since somebody came into it."""
    for metric, device_class in MEASURED.items():
        if metric in values:
            entity: Entity = {"platform": "sensor", "name": CATALOGUE[metric].title, "state_class": "measurement",
                              "unit_of_measurement": CATALOGUE[metric].unit_text}  # fmt: skip
            yield metric, entity if device_class is None else entity | {"device_class": device_class}


def _of_devices(devices: Iterable[DeviceStatus]) -> Iterator[tuple[str, Entity]]:
    for device in devices:
        about = f"{device['placement'].replace('_', ' ')} ({device['id']})"
        yield f"link_{device['id']}", {
            "platform": "binary_sensor", "name": f"Connection, {about}", "device_class": "connectivity",
            "entity_category": "diagnostic",
        }  # fmt: skip
        if device["battery"] is not None:
            yield f"battery_{device['id']}", {
                "platform": "sensor", "name": f"Battery, {about}", "device_class": "battery",
                "unit_of_measurement": "%", "state_class": "measurement", "entity_category": "diagnostic",
            }  # fmt: skip


def _of_gateway() -> Iterator[tuple[str, Entity]]:
    diagnostic: Entity = {"platform": "sensor", "entity_category": "diagnostic", "state_class": "measurement"}
    yield "notices", {**diagnostic, "name": "Notices that stand"}
    yield "waiting", {**diagnostic, "name": "Measurements that wait to be stored"}
    yield "temperature", {
        **diagnostic, "name": "Temperature of the processor", "device_class": "temperature",
        "unit_of_measurement": "°C",
    }  # fmt: skip


def _gateway_values(status: Status) -> dict[str, Any]:
    temperature = (status.get("machine") or {}).get("temperature_c")
    return {
        "notices": len((status.get("notices") or {}).get("active", ())),
        "waiting": (status.get("outbox") or {}).get("depth", 0),
        **({} if temperature is None else {"temperature": round(temperature)}),
    }


def _kept_topics(path: Path) -> list[str]:
    """Return what an earlier run has announced; a file that says nothing of that is as good as none."""
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return []
    return [topic for topic in found if isinstance(topic, str)] if isinstance(found, list) else []
