"""What the log says of devices that are not there, and of an adapter that is not there."""

from __future__ import annotations

import logging

import pytest

from drivers.errors import AdapterError, NotFoundError
from drivers.transport.supervisor import DeviceState, State
from gateway.run.device_log import DeviceLog

STRAPS = {f"strap-{n}": "ble" for n in range(20)}
NO_ADAPTER = AdapterError("the Bluetooth service does not answer")
AWAY = NotFoundError("it does not advertise")


def a_state(device: str, state: State, error: AdapterError | NotFoundError | None = None) -> DeviceState:
    return DeviceState(device, state, 0, error=str(error or ""), advice=error.advice if error else "")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    caplog.clear()
    return found


def test_no_bluetooth_is_one_line_for_all_devices_and_for_all_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    device_log = DeviceLog({**STRAPS, "shimmer": "serial"})
    for _ in range(100):
        for strap in STRAPS:
            device_log.log_state(a_state(strap, "waiting", NO_ADAPTER))
            device_log.log_state(a_state(strap, "searching"))
    [line] = lines(caplog)
    assert line.startswith(
        "no way to 20 Bluetooth devices: the Bluetooth service does not answer. Run 'rehab-gateway doc"
    )
    device_log.log_state(a_state("shimmer", "streaming"))  # of another kind: it says nothing of the adapter
    device_log.log_state(a_state("strap-1", "waiting", NO_ADAPTER))
    assert lines(caplog) == ["shimmer streaming"]
    device_log.log_state(a_state("strap-1", "streaming"))
    assert lines(caplog) == ["Bluetooth works", "strap-1 streaming"]
    device_log.log_state(a_state("strap-1", "waiting", NO_ADAPTER))
    assert len(lines(caplog)) == 1


def test_a_device_that_is_away_for_a_night_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    device_log = DeviceLog(STRAPS)
    for _ in range(1000):
        device_log.log_state(a_state("strap-1", "searching"))
        device_log.log_state(a_state("strap-1", "waiting", AWAY))
    assert lines(caplog) == ["strap-1 searching", "strap-1 waiting it does not advertise"]
    device_log.log_state(a_state("strap-2", "waiting", AWAY))
    device_log.log_state(a_state("strap-1", "starting"))
    device_log.log_state(a_state("strap-1", "waiting", AWAY))
    assert lines(caplog) == [
        "strap-2 waiting it does not advertise", "strap-1 starting", "strap-1 waiting it does not advertise",
    ]  # fmt: skip
