"""Somebody at a desk who changes the ward of a running gateway over MQTT, and hears what becomes of it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import orjson
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.servers import leave_broker

ANSWERS = "rehab/answers/demo/ward-desk/1"
ANSWER_S = 20.0


class Desk:
    """Connected to a broker until `close`.

    Attributes:
        measurements: All that were heard, in order.
        ward: The newest registry that was published.
    """

    def __init__(self, port: int, topics: str) -> None:
        self.measurements: list[dict[str, Any]] = []
        self.ward: dict[str, Any] = {}
        self._topics = topics
        self._answers: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._asked = 0
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([(f"{topics}/measurements/#", 1), (f"{topics}/ward", 1), (ANSWERS, 1)])
        self._client.loop_start()

    def ask(self, change: str, *, within_s: float = ANSWER_S, **fields: Any) -> dict[str, Any] | None:
        """Ask for a change and return the answer; None if there is none in time."""
        self._asked += 1
        number = str(self._asked)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic, properties.CorrelationData = ANSWERS, number.encode()
        payload = orjson.dumps({**fields, "by": "anna"})
        self._client.publish(f"{self._topics}/command/{change}", payload, 1, properties=properties)
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers, within_s)
            return self._answers.get(number)

    async def change(self, change: str, **fields: Any) -> dict[str, Any]:
        """Make a change, which has to be possible."""
        answer = await asyncio.to_thread(self.ask, change, **fields)
        assert answer is not None
        assert answer["ok"], answer
        return answer

    def of(self, subject: str, metric: str = "heart_rate") -> list[dict[str, Any]]:
        """Return what was measured of somebody."""
        return [m for m in list(self.measurements) if m["subject"] == subject and m["metric"] == metric]

    def forget_ward(self) -> None:
        """Have the broker forget the registry that it retains."""
        self._client.publish(f"{self._topics}/ward", b"", 1, retain=True).wait_for_publish(ANSWER_S)

    def close(self) -> None:
        """Go away."""
        leave_broker(self._client)

    def _on_message(self, _client: object, _data: object, message: MQTTMessage) -> None:
        payload = orjson.loads(message.payload or b"{}")
        if message.topic == ANSWERS:
            number = getattr(message.properties, "CorrelationData", b"").decode()
            with self._changed:
                self._answers[number] = payload
                self._changed.notify_all()
        elif message.topic == f"{self._topics}/ward":
            self.ward = payload
        else:
            self.measurements += payload["measurements"]
