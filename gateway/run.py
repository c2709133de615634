"""The gateway process: radios and ports, the pipeline, the outbox and the publisher, until told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

import drivers
from config.settings import Settings
from drivers.packet import Frame
from drivers.radio import Radio, open_radio
from drivers.supervisor import DeviceState, DeviceSupervisor
from gateway.broker import EmbeddedBroker
from gateway.clock import NS
from gateway.intake import CONNECTED
from gateway.latency import Latency
from gateway.outbox import Outbox
from gateway.pipeline import STEP_NS, Origin, Pipeline
from gateway.publisher import Publisher
from gateway.recorder import Recorder
from gateway.recording import Header
from gateway.status import Json, device_status, gateway_status, outbox_status, samples_of
from gateway.ticker import Ticker
from gateway.topics import Topics
from gateway.waveform import Watch

log = logging.getLogger(__name__)

STATUS_S = 1.0
SHORTEST_WAIT_S = 0.005  # simulated time may run fast, but the loop also has radios to serve


class Gateway:
    """Everything between the devices and the broker.

    Args:
        settings: A configuration that has been checked.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topics = Topics(settings.site.site, settings.site.gateway)
        self._real_ns = time.monotonic_ns()
        self.origin = Origin(self._real_ns, time.time_ns() // 1000)
        started = datetime.fromtimestamp(self.origin.utc_us / 1e6, UTC).strftime("%Y%m%dt%H%M%Sz")
        self.sessions = {slot.id: f"{slot.id}-{started}" for slot in settings.slot}
        self.pipeline = Pipeline(settings, self.origin, self.sessions)
        self.ticker = Ticker(self.origin.monotonic_ns, self.clock_ns)
        self.states: dict[str, DeviceState] = {}
        self.measured = 0
        self._latency = Latency()
        self._second = _Second()

    def clock_ns(self) -> int:
        """Return the monotonic clock; simulated time may run faster."""
        return self._real_ns + round((time.monotonic_ns() - self._real_ns) * self.settings.speed)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; then stop the devices, finish the pipeline and flush the outbox."""
        settings = self.settings
        settings.site.data.mkdir(parents=True, exist_ok=True)
        recorder = self._recorder() if settings.recorder.enabled else None
        outbox = Outbox(
            settings.site.data / "outbox.db",
            commit_s=settings.outbox.commit_ms / 1000,
            max_bytes=settings.outbox.max_megabytes << 20,
        )
        watch = Watch(self.pipeline, self.topics)
        publisher = Publisher(
            outbox, self.topics, settings.broker, release=settings.outbox.release, on_command=watch.command
        )
        watch.publish = publisher.publish_live
        radio = self._radio()
        try:
            publisher.start()
            if radio is not None:
                await radio.start()
            await self._serve(stop, outbox, publisher, recorder, radio)
        finally:
            if radio is not None:
                await radio.stop()
            outbox.append(self.pipeline.finish())
            if recorder is not None:
                await asyncio.to_thread(recorder.close)
            await asyncio.to_thread(outbox.flush)
            await asyncio.to_thread(publisher.stop)
            await asyncio.to_thread(outbox.close)

    async def _serve(
        self, stop: asyncio.Event, outbox: Outbox, publisher: Publisher, recorder: Recorder | None, radio: Radio | None
    ) -> None:
        devices = [
            asyncio.create_task(self._supervisor(number, radio).run(), name=f"device:{intake.device.id}")
            for number, intake in enumerate(self.pipeline.intakes)
        ]
        others = [
            asyncio.create_task(self._tick(outbox, recorder), name="pipeline"),
            asyncio.create_task(self._report(outbox, publisher), name="status"),
            asyncio.create_task(stop.wait(), name="stop"),
        ]
        try:
            done, _ = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a pipeline that ended by itself has failed, and says so here
        finally:
            await _cancel(devices)  # first, so that the last samples still go through the pipeline
            await _cancel(others)
            self._step_all(outbox, recorder)

    def _supervisor(self, number: int, radio: Radio | None) -> DeviceSupervisor:
        device = self.pipeline.intakes[number].device

        def sink(_device: str, frame: Frame) -> None:
            self.ticker.push(number, frame)

        def on_state(state: DeviceState) -> None:
            if state.state == "starting":
                self.ticker.push(number, Frame(self.clock_ns(), CONNECTED, b""))
            self.states[state.id] = state
            log.log(logging.WARNING if state.error else logging.INFO, "%s %s %s", state.id, state.state, state.error)

        return DeviceSupervisor(
            device.id,
            drivers.make(device.driver, device.options),
            sink=sink,
            on_state=on_state,
            clock_ns=self.clock_ns,
            radio=radio,
            address=device.address,
            name=device.name,
            port=device.port,
        )

    async def _tick(self, outbox: Outbox, recorder: Recorder | None) -> None:
        while True:
            self._step_all(outbox, recorder)
            left_ns = STEP_NS - (self.clock_ns() - self.origin.monotonic_ns) % STEP_NS
            await asyncio.sleep(max(left_ns / NS / self.settings.speed, SHORTEST_WAIT_S))

    def _step_all(self, outbox: Outbox, recorder: Recorder | None) -> None:
        for end_ns, frames in self.ticker.due():
            measurements = self.pipeline.step(frames)
            if recorder is not None:
                recorder.step(end_ns, frames)
            if measurements:
                self.measured += len(measurements)
                outbox.append(measurements)
            if frames:
                oldest = frames[0][1].arrival_ns
                self._latency.add((self.clock_ns() - oldest) / NS / self.settings.speed)

    async def _report(self, outbox: Outbox, publisher: Publisher) -> None:
        while True:
            publisher.set_status(self.status(outbox, publisher))
            await asyncio.sleep(STATUS_S)

    def status(self, outbox: Outbox, publisher: Publisher) -> Json:
        """Return the payload of the status topic."""
        now_s = (self.clock_ns() - self.origin.monotonic_ns) / NS
        intakes = self.pipeline.intakes
        samples = {intake.device.id: samples_of(intake) for intake in intakes}
        rates = self._second.rates({**samples, "": self.measured})
        return gateway_status(
            self.settings,
            time_us=self.pipeline.to_utc_us(now_s),
            sessions=self.sessions,
            devices=[device_status(i, self.states.get(i.device.id), now_s, rates[i.device.id]) for i in intakes],
            pipeline={
                "samples_per_s": round(sum(rates[device] for device in samples), 1),
                "measurements_per_s": rates[""],
                "measurements": self.measured,
                "samples": sum(samples.values()),
                "latency_ms": self._latency.summary_ms(),
                "dropped": dict(self.ticker.dropped),
            },
            outbox=outbox_status(outbox.state()),
            publisher=asdict(publisher.state()),
        )

    def _radio(self) -> Radio | None:
        if not any(intake.transport == "ble" for intake in self.pipeline.intakes):
            return None
        radio = self.settings.radio
        return open_radio(name=radio.name, socket=radio.socket, adapter=radio.adapter)

    def _recorder(self) -> Recorder:
        folder = self.settings.recorder.folder or self.settings.site.data / "recordings"
        header = Header(
            settings=self.settings.model_dump(mode="json"),
            sessions=self.sessions,
            origin_ns=self.origin.monotonic_ns,
            origin_us=self.origin.utc_us,
            version=version("rehab-gateway"),
        )
        stamp = datetime.fromtimestamp(self.origin.utc_us / 1e6, UTC).strftime("%Y%m%dt%H%M%S")
        recorder = Recorder(folder / f"{self.settings.site.gateway}-{stamp}.rgrec", header)
        log.info("recording to %s", recorder.path)
        return recorder


class _Second:
    """Rates since the last report."""

    def __init__(self) -> None:
        self._then = time.monotonic()
        self._counts: dict[str, int] = {}

    def rates(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Return what each count grew by, a second."""
        now = time.monotonic()
        span = max(now - self._then, 1e-3)
        out = {name: round((count - self._counts.get(name, 0)) / span, 1) for name, count in counts.items()}
        self._then, self._counts = now, dict(counts)
        return out


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def warm_up() -> None:
    """Compile or load the kernels, so that the first patient does not wait for a compiler."""
    from dsp.batch import Batch
    from dsp.foot import FootContacts
    from dsp.lower_back import LowerBack

    for operator in (FootContacts(), LowerBack()):
        sensor = operator.attach(100.0)
        still = np.zeros((10, 3))
        operator.push(Batch.single(np.arange(10), still, still, sensor))


async def serve(settings: Settings) -> None:
    """Run a gateway until SIGTERM or SIGINT, with a broker of its own where the configuration says so."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    broker = None
    if settings.broker.embedded:
        broker = EmbeddedBroker(settings.broker.port, settings.site.data)
        await broker.start()
    try:
        await Gateway(settings).run(stop)
    finally:
        if broker is not None:
            await broker.stop()


def run(settings: Settings) -> None:
    """Run a gateway in this process; returns when it was told to stop."""
    warm_up()
    asyncio.run(serve(settings))
