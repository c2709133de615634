"""What the log says of devices: each change once, and what is wrong with the adapter once for all of them."""

from __future__ import annotations

import logging

from drivers.errors import AdapterError
from drivers.transport.supervisor import DeviceState

log = logging.getLogger(__name__)

REACHED = frozenset({"starting", "streaming"})  # states in which the radio or the port has worked


class DeviceLog:
    """Tells states that are news: a supervisor says again and again that it searches, and in vain.

    Args:
        transports: The transport of each device: ``"ble"``, ``"serial"`` or ``"udp"``.
    """

    def __init__(self, transports: dict[str, str]) -> None:
        self._transports = transports
        self._troubles: dict[str, str] = {}  # the last trouble of each device, until it is reached
        self._adapter = ""  # what is wrong with the adapter, until a device of it is reached

    def log_state(self, state: DeviceState) -> None:
        """Write a line if there is something new in it."""
        bluetooth = self._transports.get(state.id) == "ble"
        if state.state in REACHED:
            if bluetooth and self._adapter:
                self._adapter = ""
                log.info("Bluetooth works")
            self._troubles.pop(state.id, None)
        if bluetooth and state.error and (state.advice == AdapterError.advice or state.problem.startswith("adapter")):
            self._log_adapter(state)
        elif state.error:
            news = self._troubles.get(state.id) != state.error
            self._troubles[state.id] = state.error
            log.log(logging.WARNING if news else logging.DEBUG, "%s %s %s", state.id, state.state, state.error)
        else:
            silent = state.id in self._troubles or (bluetooth and self._adapter)
            log.log(logging.DEBUG if silent else logging.INFO, "%s %s", state.id, state.state)

    def _log_adapter(self, state: DeviceState) -> None:
        if state.error != self._adapter:
            self._adapter = state.error
            many = sum(transport == "ble" for transport in self._transports.values())
            what = f"{many} Bluetooth device{'s' * (many != 1)}"
            log.warning("no way to %s: %s. %s", what, state.error.rstrip("."), state.advice)
        log.debug("%s %s %s", state.id, state.state, state.error)
