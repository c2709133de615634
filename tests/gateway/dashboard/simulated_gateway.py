"""A gateway that is not there: says over MQTT what the contract says, for people who walk on the spot."""

from __future__ import annotations

import math
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from types import TracebackType
from typing import Any, Self

import orjson
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.wire.topics import Topics
from tests.servers import leave_broker

RATE_HZ = 60.0
FRAME = 6  # samples in a waveform frame
MICRO = 1_000_000
CHANNELS = ["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]
UNITS = ["m/s2"] * 3 + ["deg/s"] * 3
STREAMS = {"imu": {"channels": CHANNELS, "units": UNITS, "rate_hz": RATE_HZ}}
HEART = {"heart_rate": {"channels": ["heart_rate"], "units": ["/min"], "rate_hz": None}}


def device(slot: str, placement: str, **fields: Any) -> dict[str, Any]:
    """Return what a status says of one streaming device."""
    heart = placement == "chest"
    return {
        "id": f"{slot}-{placement.replace('_', '-')}", "slot": slot, "placement": placement,
        "driver": "heart_rate" if heart else "movella_dot", "transport": "ble", "state": "streaming",
        "samples": 1000, "rate_hz": 1.0 if heart else RATE_HZ, "lost": 2, "faults": {}, "age_s": 0.1, "battery": 82.0,
        "error": "", "advice": "", "clock": {"offset_s": 1.0, "drift_ppm": 12.5, "uncertainty_ms": 0.8},
        "streams": HEART if heart else STREAMS, **fields,
    }  # fmt: skip


def notice(name: str, text: str, *, priority: str = "medium", **fields: Any) -> dict[str, Any]:
    """Return a notice that was raised."""
    return {
        "v": 1, "gateway": "gateway-1", "id": name, "code": name.partition("/")[0], "priority": priority,
        "state": "raised", "text": text, "advice": "The gateway searches for it.", "device": "", "slot": "",
        "since_us": 1, "time_us": 2, "count": 1, "simulated": True, **fields,
    }  # fmt: skip


class Walker:
    """One person: stride time 1.1 s plus a bit for each bed, right steps a little longer, heart at 88."""

    placements: tuple[str, ...] = ("left_foot", "right_foot", "lower_back", "chest")

    def __init__(self, number: int) -> None:
        self.slot = f"bay-{number}"
        self.label = f"Bay {number}"
        self.subject = f"p-{100 + 37 * number % 900:03d}"
        self.session = f"s-{number}"
        self.stride_s = 1.1 + 0.03 * (number % 7)
        self.number = number

    def status(self) -> dict[str, Any]:
        """Return this slot's part of the status."""
        return {
            "id": self.slot, "label": self.label, "subject": self.subject, "session": self.session,
            "protocol": "free_walk", "devices": [d["id"] for d in self.devices()],
        }  # fmt: skip

    def devices(self) -> list[dict[str, Any]]:
        """Return this person's devices."""
        return [device(self.slot, placement) for placement in self.placements]

    def measurement(self, metric: str, value: float | None, side: str, start_s: float, end_s: float) -> dict[str, Any]:
        """Return one measurement as the wire has it."""
        return {
            "seq": 1, "metric": metric, "value": value, "unit": "s", "side": side,
            "start_us": round(start_s * MICRO), "end_us": round(end_s * MICRO), "sync_ms": 1.0, "n": 8,
            "n_rejected": 0, "quality": "ok", "reason": "", "algorithm": "test/1",
            "devices": [f"{self.slot}-left-foot"], "placement": ["left_foot"], "slot": self.slot,
            "session": self.session, "subject": self.subject, "simulated": True,
        }  # fmt: skip

    def stride(self, side: str, end_s: float) -> list[dict[str, Any]]:
        """Return the measurements that one stride gives."""
        index = round(end_s / self.stride_s)
        longer = 0.02 if side == "right" else 0.0
        stride = self.stride_s + 0.03 * math.sin(index * 1.7) + longer / 2
        stance = stride * (0.61 + longer / 4)
        start = end_s - stride
        return [
            self.measurement("stride_time", stride, side, start, end_s),
            self.measurement("stance_time", stance, side, start, start + stance),
            self.measurement("swing_time", stride - stance, side, start + stance, end_s),
            self.measurement("step_time", stride / 2 + longer, side, end_s - stride / 2, end_s),
            self.measurement("initial_contact", 1.0, side, end_s, end_s),
        ]

    def means(self, now_s: float) -> list[dict[str, Any]]:
        """Return what is said once a second."""
        cadence = 120 / self.stride_s + 3 * math.sin(now_s / 40)
        return [
            self.measurement("cadence", cadence, "both", now_s - 10, now_s),
            self.measurement("symmetry_index", 3.6 + math.sin(now_s / 20), "both", now_s - 10, now_s),
            self.measurement("heart_rate", 88 + 4 * math.sin(now_s / 2 + self.number), "none", now_s - 1, now_s),
        ]

    def curves(self, now_s: float) -> dict[str, Any]:
        """Return what the topic ``cycles`` says: joints of both legs; the right ankle is not calibrated."""
        share = [i / 100 for i in range(101)]
        shapes = {
            "hip": [12 + 20 * math.cos(6.28 * x) for x in share],
            "knee": [
                5 + 12 * math.exp(-(((x - 0.15) / 0.1) ** 2)) + 55 * math.exp(-(((x - 0.72) / 0.1) ** 2)) for x in share
            ],
            "ankle": [8 * math.sin(3.1 * x) - 24 * math.exp(-(((x - 0.64) / 0.07) ** 2)) for x in share],
        }
        return {
            "v": 1, "gateway": "gateway-1", "slot": self.slot, "session": self.session, "subject": self.subject,
            "simulated": True, "algorithm": "joint-angles/1", "unit": "deg",
            "curves": [
                {
                    "joint": joint, "side": side, "n": 20, "quality": "degraded" if doubt else "ok", "reason": doubt,
                    "start_us": round((now_s - 30) * MICRO), "end_us": round(now_s * MICRO),
                    "mean": [round(x - 3 * (side == "right"), 1) for x in shape], "sd": [3.0] * 101,
                }
                for joint, shape in shapes.items()
                for side in ("left", "right")
                for doubt in ["no standing pose before walking" if (joint, side) == ("ankle", "right") else ""]
            ],
        }  # fmt: skip

    def samples(self, placement: str, start_s: float) -> list[float]:
        """Return one frame of foot-like movement, row after row."""
        shift = 0.5 if placement == "right_foot" else 0.0
        rows: list[float] = []
        for i in range(FRAME):
            phase = ((start_s + i / RATE_HZ) / self.stride_s + shift) % 1.0
            swing = 380 * math.exp(-(((phase - 0.78) / 0.09) ** 2))
            heel_rise = -210 * math.exp(-(((phase - 0.60) / 0.05) ** 2)) - 150 * math.exp(
                -(((phase - 0.97) / 0.025) ** 2)
            )
            rows += [2 * math.sin(6.28 * phase), 0.4, 9.8 + 6 * math.exp(-(((phase - 0.99) / 0.02) ** 2))]
            rows += [8 * math.sin(12 * phase), swing + heel_rise, 5 * math.cos(9 * phase)]
        return rows


class Strapped(Walker):
    """A person with sensors on whole legs."""

    placements: tuple[str, ...] = (
        "left_foot", "right_foot", "lower_back", "chest", "left_shank", "right_shank", "left_thigh", "right_thigh",
    )  # fmt: skip

    def means(self, now_s: float) -> list[dict[str, Any]]:
        """Return what is said once a second: of the joints too."""
        wave = 2 * math.sin(now_s / 5)
        found = [
            self.measurement(metric, value + wave, side, now_s - 1.1, now_s)
            for metric, value in (("hip_rom", 41.0), ("knee_rom", 60.0), ("knee_peak_swing", 61.0), ("ankle_rom", 30.0))
            for side in ("left", "right")
        ]
        return super().means(now_s) + found


class SimulatedGateway:
    """Publishes for a whole ward until left; ``silent`` slots keep their place and say nothing."""

    def __init__(self, port: int, people: list[Walker], *, topics: Topics) -> None:
        self.silent: set[str] = set()
        self.version = 1  # of the status
        self.notices: list[dict[str, Any]] = []
        self.pauses: list[dict[str, Any]] = []
        self.faults: dict[str, dict[str, Any]] = {}
        self.watched: dict[tuple[str, str], float] = {}
        self.asked: Queue[tuple[str, bytes]] = Queue()  # where a change of the ward is to be answered, and as which
        self._topics = topics
        self._people = people
        self._ended = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._on_command
        self._client.will_set(
            topics.status, orjson.dumps({"v": 1, "gateway": topics.gateway, "state": "offline"}), 1, True
        )
        self._client.connect("127.0.0.1", port, properties=Properties(PacketTypes.CONNECT))  # type: ignore[no-untyped-call]
        self._client.subscribe(topics.command(), 1)
        self._thread = threading.Thread(target=self._run, name="simulated gateway")

    def __enter__(self) -> Self:
        self._client.loop_start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        leave_broker(self._client)

    def seat(self, person: Walker) -> None:
        """Have somebody take the place of who is in the same bed."""
        self._people = [person if other.slot == person.slot else other for other in self._people]

    def publish_status(self, now_s: float) -> None:
        """Say what the gateway is doing."""
        devices = [{**d, **self._state(d)} for person in self._people for d in person.devices()]
        body = {
            "v": self.version, "gateway": self._topics.gateway, "state": "online", "simulated": True,
            "time_us": round(now_s * MICRO), "slots": [person.status() for person in self._people], "devices": devices,
            "pipeline": {"samples_per_s": 180.0 * len(self._people), "measurements_per_s": 12.0, "measurements": 100,
                         "latency_ms": {"p50": 42.0, "p95": 71.0}},
            "outbox": {"depth": 3, "oldest_s": 0.4, "bytes": 4096, "dropped": {}},
            "publisher": {"connected": True, "under_way": 1, "sent": 100, "errors": 0},
            "notices": {"active": self.notices, "raised": {}, "paused": self.pauses},
        }  # fmt: skip
        self._client.publish(self._topics.status, orjson.dumps(body), 1, retain=True)

    def publish(self, person: Walker, measurements: list[dict[str, Any]]) -> None:
        """Send measurements of one slot."""
        body = {
            "v": 1,
            "gateway": self._topics.gateway,
            "epoch": "0" * 16,
            "slot": person.slot,
            "measurements": measurements,
        }
        self._client.publish(self._topics.measurements(person.slot), orjson.dumps(body), 1)

    def publish_curves(self, person: Walker, now_s: float) -> None:
        """Send the mean curves of a person's joints, retained."""
        self._client.publish(self._topics.cycles(person.slot), orjson.dumps(person.curves(now_s)), 1, retain=True)

    def publish_ward(self, registry: bytes) -> None:
        """Say who is in which bed, retained: a dashboard that comes later hears it too."""
        self._client.publish(self._topics.ward, registry, 1, retain=True)

    def answer(self, change: tuple[str, bytes], **answer: Any) -> None:
        """Say what became of a change that was asked for; by itself none is answered."""
        topic, correlation = change
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.CorrelationData = correlation
        self._client.publish(topic, orjson.dumps(answer), 1, properties=properties)

    def shout(self, topic: str, payload: bytes) -> None:
        """Send anything."""
        self._client.publish(topic, payload, 0)

    def die(self) -> None:
        """Be gone without a word: the broker publishes the last will."""
        self._ended.set()
        self._thread.join()
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        self._client.reconnect_delay_set(60, 60)
        sock.shutdown(socket.SHUT_RDWR)

    def _state(self, device: dict[str, Any]) -> dict[str, Any]:
        quiet = {"state": "silent", "age_s": 30.0, "advice": "Range or battery: the gateway reconnects by itself."}
        return self.faults.get(device["id"], quiet if device["slot"] in self.silent else {})

    def _on_command(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if topic := getattr(message.properties, "ResponseTopic", ""):
            self.asked.put((topic, getattr(message.properties, "CorrelationData", b"")))
            return
        request = orjson.loads(message.payload)
        self.watched[request["device"], request["stream"]] = time.monotonic() + request["for_s"]

    def _run(self) -> None:
        due = 0.0
        steps = {(p.slot, side): time.time() for p in self._people for side in ("left", "right")}
        sent_until: dict[str, float] = {}
        while not self._ended.wait(0.04):
            now = time.time()
            people = self._people
            walking = [person for person in people if person.slot not in self.silent]
            if now >= due:
                due = now + 1.0
                self.publish_status(now)
                for person in walking:
                    self.publish(person, person.means(now))
                    if isinstance(person, Strapped):
                        self.publish_curves(person, now)
            for person in walking:
                for side in ("left", "right"):
                    if now >= steps[person.slot, side]:
                        shift = person.stride_s / 2 if side == "right" else 0.0
                        steps[person.slot, side] = (now // person.stride_s + 1) * person.stride_s + shift
                        self.publish(person, person.stride(side, now - 0.1))
                for placement in person.placements[:3]:
                    self._send_waveform(person, placement, now, sent_until)

    def _send_waveform(self, person: Walker, placement: str, now: float, sent_until: dict[str, float]) -> None:
        name = f"{person.slot}-{placement.replace('_', '-')}"
        if self.watched.get((name, "imu"), 0.0) < time.monotonic():
            return
        length = FRAME / RATE_HZ
        start = sent_until.get(name, 0.0)
        if start < now - 1.0:
            start = now - length
        while start + length <= now:
            header = struct.pack("<BBHfq", 1, len(CHANNELS), FRAME, RATE_HZ, round(start * MICRO))
            samples = struct.pack(f"<{FRAME * len(CHANNELS)}f", *person.samples(placement, start))
            self._client.publish(self._topics.waveform(name, "imu"), header + samples, 0)
            start += length
        sent_until[name] = start


@contextmanager
def walking(port: int, count: int, *, topics: Topics) -> Iterator[SimulatedGateway]:
    """Have ``count`` people walk."""
    with SimulatedGateway(port, [Walker(number) for number in range(1, count + 1)], topics=topics) as simulated:
        yield simulated
