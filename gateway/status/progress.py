"""What the watchdog looks at: signs that the parts of a running gateway get on with their work."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from drivers.transport.supervisor import DeviceState
from gateway.analysis.pipeline import Pipeline
from gateway.delivery.publisher import Publisher
from gateway.intake.intake import Intake
from gateway.machine.supervision import Supervision
from gateway.machine.watchdog import IDLE, Worker
from gateway.outbox.outbox import Outbox

PIPELINE_S = 15.0
"""A step is due twenty times a second; the longest legitimate wait is for a restart of the pipeline's task."""
OUTBOX_S = 20.0
"""A commit takes milliseconds, on a worn card seconds."""
PUBLISHER_S = 20.0
"""Its thread turns at least twice a second."""
DEVICES_S = 900.0
"""A supervisor has a limit for each of its steps; those of a ward's devices may queue for one adapter meanwhile."""
TRANSPORTS = ("ble", "serial", "udp")
"""Of which somebody may come to wear a device while the gateway runs; one that nobody wears is idle."""
RADIO_S = 120.0
"""From when on every step has been taken to help the radios, in vain, and no device streams."""
DEVICE_S = 600.0
"""Of one device alone, whose task is then begun again: before the whole process is."""


class Progress:
    """Looks at the parts of a running gateway.

    Args:
        pipeline: Its steps, and what each device has delivered.
        outbox: What waits for the disk, and what is on it.
        publisher: When its thread turned last.
        supervision: Which device tasks still run.
        states: What each device's supervisor said last.
        exhausted: Whether nothing is left that this process could do for the radios.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        outbox: Outbox,
        publisher: Publisher,
        supervision: Supervision,
        states: Mapping[str, DeviceState],
        *,
        exhausted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline = pipeline
        self._outbox = outbox
        self._publisher = publisher
        self._supervision = supervision
        self._states = states
        self._exhausted = exhausted
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}

    def workers(self) -> list[Worker]:
        """Return what the watchdog watches: devices of each transport, radio, pipeline, outbox and publisher."""
        return [
            Worker("pipeline", PIPELINE_S, lambda: self._pipeline.end_ns),
            Worker("outbox", OUTBOX_S, self._outbox_moves),
            Worker("publisher", PUBLISHER_S, lambda: self._publisher.state().turn),
            Worker("radio", RADIO_S, self._radio_works),
            *(Worker(f"{name} devices", DEVICES_S, self._devices_move(name)) for name in TRANSPORTS),
        ]

    def stuck_devices(self) -> list[str]:
        """Return the tasks of devices of which nothing was heard for too long: no sample, and no other state."""
        now, found = self._clock(), []
        for intake in self._attached():
            name = f"device:{intake.device.id}"
            token = self._signs(intake.device.id, intake.samples)
            before, since = self._seen.get(name, (None, now))
            if token != before or not self._runs(name):
                self._seen[name] = (token, now)
            elif now - since > DEVICE_S:
                self._seen[name] = (token, now)
                found.append(name)
        return found

    def _outbox_moves(self) -> object:
        state = self._outbox.state()
        # A disk that says no is told in a notice, and starting again would not mend it; one that hangs is stuck.
        return IDLE if state.error or state.durable_seq >= state.last_seq else state.durable_seq

    def _radio_works(self) -> object:
        """Say nothing new while nothing is left to do for the radios; a gateway that still measures goes on."""
        streams = any(state.state == "streaming" for state in self._states.values())
        return "exhausted" if self._exhausted() and not streams else IDLE

    def _devices_move(self, transport: str) -> Callable[[], object]:
        def progress() -> object:
            intakes = [intake for intake in self._attached() if intake.transport == transport]
            running = [intake for intake in intakes if self._runs(f"device:{intake.device.id}")]
            return [self._signs(i.device.id, i.samples) for i in running] if running else IDLE

        return progress

    def _attached(self) -> list[Intake]:
        return [intake for intake in self._pipeline.intakes if intake.slot is not None]

    def _runs(self, name: str) -> bool:
        part = self._supervision.parts.get(name)
        return part is not None and part.keeper is not None and not part.keeper.done()

    def _signs(self, device: str, samples: int) -> tuple[object, ...]:
        state = self._states.get(device)
        return (samples, state and (state.state, state.since_ns))
