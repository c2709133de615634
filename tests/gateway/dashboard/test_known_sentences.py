"""What drivers say is wrong has a text for pages in other languages: what the transports raise, as they raise it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.errors import NotFoundError
from drivers.transport.bluez_radios import NO_ADAPTER_ADVICE
from drivers.transport.port_errors import in_use, not_opened
from drivers.transport.troubles import no_room, switched_off
from gateway.dashboard.fleet_view import NOT_ONLINE
from gateway.dashboard.known_sentences import HEALTH, advice_key, error_said, said, with_texts
from tests.gateway.texts.reason_words import raised

ROOMS = (*sorted(Path("drivers/transport").glob("*.py")), Path("gateway/intake/known_devices.py"))
FLEET = (Path("gateway/fleet/health.py"), Path("gateway/fleet/agent.py"))
NOBODY_SEES = (
    "may not write", "has no characteristic", "bytes to receive", "is not connected at present", "could not {}: {}",
    "is there and switched on", "no advertisement of '{}'", "passkey", "nothing is sent over UDP",
)  # fmt: skip
"""Defects of a driver, and answers to work with devices, which no page of devices shows."""

MADE_OF_PARTS = {
    "adapter {} cannot be switched {}: {}": (
        "adapter x cannot be switched on: x", "adapter x cannot be switched off: x",
    ),
    "no Bluetooth adapter{} is there": ("no Bluetooth adapter is there", "no Bluetooth adapter hci1 is there"),
    "no end within {} s while {}": (
        "no end within 9 s while the stream was being started",
        "no end within 9 s while the device was asked who it is",
    ),
    "the link was lost while {}": (
        "the link was lost while the stream was being started",
        "the link was lost while the device was asked who it is",
    ),
    "{} is in use by another program on this computer{}": ("x is in use by another program on this computer",),
    "the device that was found {}, and the configuration says {}: nothing is read from it": (
        "the device that was found tells serial 7, and the configuration says 8: nothing is read from it",
        "the device that was found tells no serial, and the configuration says 8: nothing is read from it",
    ),
}  # fmt: skip
"""Of those of which a part is one of a few words: all that they may say."""


def test_each_error_of_the_way_to_a_device_has_a_text() -> None:
    found = [one for path in ROOMS for one in raised(path)]
    assert len(found) > 20
    told = [one for one in found if not any(part in one for part in NOBODY_SEES)]
    assert [
        one
        for words in told
        for one in MADE_OF_PARTS.get(words, (words.replace("{}", "x"),))
        if error_said(one) is None
    ] == []


@pytest.mark.parametrize(
    ("error", "key", "values"),
    [
        (no_room("AA:BB", ["hci0", "hci1"]), "no_room", {"device": "AA:BB", "full": "hci0, hci1 are full"}),
        (switched_off("hci0"), "adapter_off", {"adapter": "hci0"}),
        (in_use(Path("/dev/ttyUSB0"), ["brltty"]), "in_use_by", {"what": "/dev/ttyUSB0", "who": "brltty"}),
        (not_opened(Path("/dev/ttyUSB0"), OSError(5, "I/O")), "port_not_opened", {"port": "/dev/ttyUSB0"}),
    ],
)
def test_what_stands_in_a_sentence_is_found_again(error: Exception, key: str, values: dict[str, str]) -> None:
    said = error_said(str(error))
    assert said is not None
    assert said["key"] == key
    assert said["values"] | values == said["values"]


def test_a_device_comes_with_its_texts_and_words_of_its_own_stay() -> None:
    device = {"error": "no advertisement of 'dot-1' within 30 s", "advice": NotFoundError.advice}
    made = with_texts(device)
    assert made["error_said"] == {"key": "not_advertised", "values": {"wanted": "'dot-1'", "seconds": "30"}}
    assert made["advice_key"] == "not_found"
    assert advice_key(NO_ADAPTER_ADVICE) == "no_adapter"
    assert with_texts({"error": "0x1f", "advice": "Shake it."}) == {"error": "0x1f", "advice": "Shake it."}


def test_how_a_gateway_of_a_fleet_is_has_a_text() -> None:
    found = [
        one for path in FLEET for one in re.findall(r'[Hh]ealth\(.*?f?"([^"]+)"|return f?"([^"]+)"', path.read_text())
    ]
    told = [re.sub(r"\{.*?\}", "x", one or other) for one, other in found]
    assert len(told) > 6
    assert [one for one in (*told, *NOT_ONLINE.values()) if said(HEALTH, one) is None] == []
