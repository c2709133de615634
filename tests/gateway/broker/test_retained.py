"""What a broker still holds is asked of a real one; one that is not there, or refuses, holds nothing."""

from __future__ import annotations

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from config.settings import Broker
from gateway.broker.retained import retained_topic
from tests.servers import Child, free_port, leave_broker

pytestmark = pytest.mark.broker


def publish(port: int, topic: str, payload: bytes, *, retain: bool) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topic, payload, 1, retain=retain).wait_for_publish(10.0)
    leave_broker(client)


def test_a_topic_that_is_held_is_found_and_one_that_was_taken_back_is_not(mosquitto: Child) -> None:
    broker = Broker(embedded=False, port=mosquitto.port)
    asked = ("a/stored/+", "a/ward")
    publish(mosquitto.port, "a/stored/h-1", b"not kept", retain=False)
    publish(mosquitto.port, "b/ward", b"another's", retain=True)
    assert retained_topic(broker, "client", asked) == ""
    publish(mosquitto.port, "a/stored/h-1", b"kept", retain=True)
    assert retained_topic(broker, "client", asked) == "a/stored/h-1"
    publish(mosquitto.port, "a/stored/h-1", b"", retain=True)
    assert retained_topic(broker, "client", asked) == ""


def test_a_broker_that_is_not_there_cannot_be_asked() -> None:
    assert retained_topic(Broker(embedded=False, port=free_port()), "client", ("a/ward",)) == ""
