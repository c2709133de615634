"""What is told of adapters and links: each once, with what one can do."""

from __future__ import annotations

from typing import cast

from gateway.model.status import AdapterStatus, DeviceStatus, Status
from gateway.status.radio_rules import radio_findings


def adapter(name: str = "hci0", *, limit: int | None = 5, trouble: str = "") -> AdapterStatus:
    return {"name": name, "links": 0, "limit": limit, "most": 0, "trouble": trouble}


def device(name: str, problem: str = "", error: str = "", advice: str = "") -> DeviceStatus:
    return {"id": name, "slot": "bay-a", "transport": "ble", "problem": problem, "error": error, "advice": advice}


def told(
    devices: int | list[DeviceStatus], *adapters: AdapterStatus, steps: dict[str, int] | None = None
) -> dict[str, str]:
    worn = [device(f"dot-{n}") for n in range(devices)] if isinstance(devices, int) else devices
    status: Status = {"devices": worn, "radio": {"adapters": list(adapters), "steps": steps or {}}}
    return {found.id: found.text for found in radio_findings(status)}


def test_more_sensors_than_room_is_said_at_once() -> None:
    assert told(13, adapter("hci0"), adapter("hci1")) == {
        "radio-full": "13 Bluetooth sensors are worn, and 2 adapters have room for 10: 3 must wait"
    }
    assert told(10, adapter("hci0"), adapter("hci1")) == {}
    assert told(300, adapter("simulated", limit=None)) == {}
    assert "1 adapter has room for 5: 1 must wait" in told(6, adapter())["radio-full"]


def test_an_adapter_that_is_off_or_gone_has_no_room() -> None:
    found = told(6, adapter("hci0"), adapter("hci1", trouble="is switched off"))
    assert found["radio-off/hci1"] == "Adapter hci1 is switched off"
    assert "1 adapter has room for 5" in found["radio-full"]
    assert told(1, adapter("bluetooth", trouble="is not there")) == {
        "radio-off/bluetooth": "Adapter bluetooth is not there"
    }


def test_a_failing_adapter_is_told_with_what_was_done() -> None:
    found = told(
        1, adapter(trouble="adapter hci0 cannot scan: in progress"), steps={"rescan": 4, "reset": 1, "restart": 0}
    )
    assert found == {
        "radio-failing/hci0": "No Bluetooth: adapter hci0 cannot scan: in progress (rescan 4 times, reset 1 times)"
    }


def test_who_else_has_a_device_and_who_wants_keys_is_told_of_that_device() -> None:
    found = told(
        [
            device("strap-1", "in-use", "X is in use by another program on this computer", "End it."),
            device("scale-1", "unpaired", "X must be paired first", "Pair it."),
            device("dot-1", "no-room", "no radio has room"),
        ],
        adapter(),
    )
    assert set(found) == {"device-in-use/strap-1", "device-unpaired/scale-1"}


def test_a_status_without_radios_says_nothing() -> None:
    assert list(radio_findings(cast("Status", {"devices": [], "radio": {}}))) == []
    assert list(radio_findings({})) == []
