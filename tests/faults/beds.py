"""The whole product around simulated beds, from the radio to the history: what was made against what is stored."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from config.loader import load
from gateway.cli.status import Listener
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Measurement
from gateway.recordings.replay import Replay
from gateway.wire.topics import Topics
from simulators.scenes.scene import Scene
from simulators.scenes.ward import ward
from tests.faults.chain import Process, Watch, count, module, wait_for
from tests.faults.outcome import Outcome
from tests.servers import Child, leave_broker

START_S = 300.0
"""Also where the kernels have never been compiled."""
STORED_S = 30.0
FRESH_S = 1.5
"""Age of a sample of the slowest device, in a status that comes once a second."""
SAME_EVENT_US = 100_000
"""Two events of one foot within this are one event told twice: nobody steps ten times a second."""
TOLD_ANEW = frozenset({"posture"})
"""What holds from an instant on is told once more when more is known of it: in the place of what was told from there on
(`dsp.posture.person`). Of two sensors the radio may bring first the one that saw it later."""

T = TypeVar("T")


class Air:
    """Simulated devices on an event loop and a thread of their own, so that a row can ask and order them about."""

    def __init__(self, scene: Scene, socket: Path) -> None:
        self.scene, self._socket = scene, socket
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="air", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.scene.start(self._socket))
        self.run(self.scene.begin(0.0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self.scene.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_S)

    def off(self) -> None:
        """Switch all devices off; the radio of the gateway stays."""

        async def stop() -> None:
            await asyncio.gather(*(device.stop() for device in self.scene.devices.values()))

        self.run(stop())


class Beds:
    """Processes of a ward around one folder.

    Args:
        folder: For everything.
        broker: A mosquitto; without one the gateway keeps its own.
        beds: How many, four devices each.
        seed: Who lies there.
        clock: A file that moves the wall clock of gateway and historian (`tests.faults.stepped`).
        more: Lines for the end of the configuration.
        run: The command of the gateway, but for the configuration at its end.
    """

    def __init__(
        self, folder: Path, broker: Child | None, *, beds: int, seed: int, clock: Path | None = None, more: str = "",
        run: list[str] | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.broker = folder, broker
        self.config, self.history = folder / "ward.toml", folder / "history.db"
        self.status: dict[str, Any] = {}
        socket = folder / "radio"
        self.scene = ward(beds=beds, ports=folder / "ports", seed=seed)
        self.air = Air(self.scene, socket)
        self.historian = Process("historian", folder, module("gateway", "historian", self.config, clock=clock))
        command = module("gateway", "run", self.config, clock=clock) if run is None else [*run, str(self.config)]
        self.gateway = Process("run", folder, command)
        self.watch = Watch(self.history)
        self.config.write_text(
            f'{self.scene.configuration(socket)}\n[site]\nsite = "test"\ngateway = "beds"\ndata = "{folder}"\n'
            f"[recorder]\nenabled = true\n[historian]\nkeep_days = 100000\n"
            + (f"[broker]\nembedded = false\nport = {broker.port}\n" if broker else "")
            + more
        )
        self._listener: Listener | None = None
        self._ears = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._ears.on_message = self._hear

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.air)
            for process in (self.historian, self.gateway):
                stack.callback(process.end)
            stack.callback(self._listen())
            self.historian.start()
            if self.broker is not None:
                assert wait_for(lambda: "connected" in self.historian.text(), START_S), self.historian.text()
            self.gateway.start()
            assert wait_for(self.well, START_S), self.gateway.text()[-2000:]
            self.watch.start()
            stack.pop_all()  # all is well: it ends with `__exit__`
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.watch.stop()
        self.gateway.end()
        self.historian.end()
        self._deafen()
        self.air.__exit__(kind, error, trace)

    def _listen(self) -> Callable[[], None]:
        """Begin to hear the gateway's status, and return what ends that."""
        if self.broker is None:
            self._listener = Listener(load(self.config))
            self._listener.start()
        else:
            self._ears.connect("127.0.0.1", self.broker.port)
            self._ears.subscribe(Topics("test", "beds").status)
            self._ears.loop_start()
        return self._deafen

    def _deafen(self) -> None:
        if self._listener is not None:
            self._listener.stop()
        else:
            leave_broker(self._ears)

    def well(self) -> bool:
        """Whether all devices stream, as they and the newest status say."""
        if self._listener is not None:
            self.status = self._listener.heard.status
        reported = self.status.get("devices", [])
        fresh = [device["state"] == "streaming" and (device["age_s"] or 0.0) < FRESH_S for device in reported]
        return bool(fresh) and all(fresh) and all(device.streaming for device in self.scene.devices.values())

    def next_status(self) -> dict[str, Any]:
        """Return the status after the present one."""
        present = self.status
        assert wait_for(lambda: self.status is not present, START_S)
        return self.status

    def _hear(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.status = orjson.loads(message.payload)

    def finish(self, outcome: Outcome, *, mended: bool = False) -> tuple[Replay, list[Measurement]]:
        """Stop the gateway; put what was made and stored into the outcome; return the replay and what was stored.

        What was made is what the recording of the frames gives in replay. Where wall times were ``mended`` in the
        history, they are left out of the comparison; how long something took is not.
        """
        self.watch.stop()
        self.gateway.end()
        (recording,) = (self.folder / "recordings").iterdir()
        replay = Replay(recording)
        made = [measurement for step in replay.steps() for measurement in step]
        wait_for(lambda: count(self.history) >= len(made), STORED_S)
        self.historian.end()
        reader = HistoryReader(self.history)
        stored = [row.measurement for row in reader.stored(limit=10_000_000)]
        reader.close()
        outcome.made, outcome.stored = len(made), len(stored)
        alike = [[timeless(m) for m in some] for some in (made, stored)] if mended else [made, stored]
        outcome.lost = outcome.silent = excess(*alike)
        outcome.twice = excess(*reversed(alike)) + doubled(stored)
        outcome.gap_s = self.watch.longest_s
        for process in (self.gateway, self.historian):
            outcome.notes += process.unclean()[:3]
        return replay, stored


def timeless(measurement: Measurement) -> Measurement:
    """Return a measurement as if it had begun at nought."""
    return replace(measurement, start_us=0, end_us=measurement.end_us - measurement.start_us)


def excess(some: Iterable[Measurement], others: Iterable[Measurement]) -> int:
    """Return how many of some are not among the others, each as often as it is there."""
    return sum((Counter(map(repr, some)) - Counter(map(repr, others))).values())


def doubled(measurements: Sequence[Measurement]) -> int:
    """Return how many events of a device follow one of the same kind too soon to be another; in the order as told."""
    last: dict[tuple[object, ...], int] = {}
    count = 0
    for m in sorted(standing(m for m in measurements if m.start_us == m.end_us), key=lambda m: m.end_us):
        key = (m.metric, m.side, m.devices, m.value)  # a state that is told with another value has changed
        count += m.end_us - last.get(key, -SAME_EVENT_US) < SAME_EVENT_US
        last[key] = m.end_us
    return count


def standing(events: Iterable[Measurement]) -> list[Measurement]:
    """Return events without those in whose place another was told."""
    others: list[Measurement] = []
    told: dict[str, list[Measurement]] = {}
    for event in events:
        if event.metric not in TOLD_ANEW:
            others.append(event)
            continue
        before = told.setdefault(f"{event.metric} {event.session} {event.algorithm}", [])
        while before and before[-1].end_us >= event.end_us and before[-1] != event:
            before.pop()
        before.append(event)
    return [*others, *(event for some in told.values() for event in some)]
