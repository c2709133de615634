"""The gateway process: radios and ports, the pipeline, the outbox and the publisher, until told to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
import signal
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import drivers
from config.settings import Settings
from drivers.packet import Frame
from drivers.radio import Radio, open_radio
from drivers.supervisor import DeviceState, DeviceSupervisor
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.warm_up import warm_up
from gateway.audit.audit import Audit
from gateway.broker.certificates import broker_for
from gateway.broker.door import FOLDER
from gateway.broker.embedded import EmbeddedBroker
from gateway.clocks.device_clock import NS
from gateway.clocks.wall_clock import WallClock
from gateway.delivery.publisher import Publisher
from gateway.intake.frames import CLOCK_CHANNEL, NO_DEVICE, STEP_NS, Numbered, Origin, clock_frame
from gateway.intake.intake import CONNECTED
from gateway.intake.known_devices import known_devices
from gateway.intake.steps import Ticker
from gateway.machine.file_lock import FileLock
from gateway.machine.private_files import FOLDER_MODE
from gateway.machine.supervision import Supervision
from gateway.machine.watchdog import ServiceManager, Watchdog
from gateway.model.wall_correction import Correction
from gateway.model.wall_correction import measurements as corrected
from gateway.outbox.outbox import Outbox
from gateway.recordings.recorder import Recorder
from gateway.recordings.recording import Header
from gateway.run.device_log import DeviceLog
from gateway.run.watch import Watch
from gateway.status.event_delays import Decided
from gateway.status.listener import Json
from gateway.status.notices import durable
from gateway.status.progress import Progress
from gateway.status.prometheus import keep_metrics
from gateway.status.report import Report, headline
from gateway.wire.curves import encode_curves
from gateway.wire.receipt_key import ReceiptKeyError, receipt_key
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

STATUS_S = 1.0
SHORTEST_WAIT_S = 0.005  # simulated time may run fast, but the loop also has radios to serve
FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""Troubles of a disk that do not keep a gateway from measuring: what is made waits in memory."""
KEPT_FREE = 256 << 20  # bytes that recording leaves free beyond what the outbox may still grow by


class StartError(Exception):
    """The gateway cannot start on this machine as it is."""

    advice = "Check site.data in the configuration, its owner, and the disk."


class Gateway:
    """Everything between the devices and the broker.

    Args:
        settings: A configuration that has been checked.
        manager: The service manager to tell; by default systemd, where it started us.
        wall: Watches the wall clock; by default this machine's.
        lock: The right to write the outbox, if it is held already.

    Attributes:
        status: The newest status; empty before the first.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        manager: ServiceManager | None = None,
        wall: WallClock | None = None,
        lock: FileLock | None = None,
    ) -> None:
        self.settings = settings
        self._lock = lock
        self.status: Json = {}
        self.supervision = Supervision()
        self._manager = manager or ServiceManager()
        self._wall = wall or WallClock()
        self._topics = Topics(settings.site.site, settings.site.gateway)
        self._real_ns = time.monotonic_ns()
        self.origin = Origin(self._real_ns, self._wall.utc_us(self._real_ns))
        self._started = datetime.fromtimestamp(self.origin.utc_us / 1e6, UTC).strftime("%Y%m%dt%H%M%Sz")
        # A machine that begins in 1970 each time would give two runs one name.
        again = "" if self._wall.set else f"-{secrets.token_hex(3)}"
        self.sessions = {slot.id: f"{slot.id}-{self._started}{again}" for slot in settings.slot}
        self.pipeline = Pipeline(settings, self.origin, self.sessions)
        self.ticker = Ticker(self.origin.monotonic_ns, self.clock_ns)

    def clock_ns(self) -> int:
        """Return the monotonic clock; simulated time may run faster."""
        return self._real_ns + round((time.monotonic_ns() - self._real_ns) * self.settings.speed)

    def real_ns(self, clock_ns: int) -> int:
        """Return the machine's monotonic time at a time of `clock_ns`."""
        return self._real_ns + round((clock_ns - self._real_ns) / self.settings.speed)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; then stop the devices, finish the pipeline and flush the outbox.

        Raises:
            StartError: The data folder cannot be used.
            HeldError: Another process uses it.
            TaskFailedError: A part failed again and again.
        """
        try:
            key = receipt_key(self.settings)
        except ReceiptKeyError as error:
            raise StartError(str(error)) from error
        outbox = open_outbox(self.settings, self._lock)
        watch = Watch(self.pipeline, self._topics)
        audit = Audit(outbox, self.settings)
        decided = Decided(outbox, self.pipeline.intakes, self.real_ns)
        publisher = Publisher(
            outbox,
            self._topics,
            broker_for(self.settings, "gateway"),
            release=self.settings.outbox.release,
            on_command=watch.command,
            on_obeyed=audit.command,
            on_taken=decided.taken,
            historians=self.settings.outbox.historians or [""],
            receipt_key=key,
        )
        watch.publish = publisher.publish_live
        recorder = self._recorder() if self.settings.recorder.enabled else None
        radio = self._radio()
        work = _Work(
            self, audit=audit, decided=decided, outbox=outbox, publisher=publisher, recorder=recorder, radio=radio
        )
        audit.started(self.sessions)
        ended = "failed"
        try:
            publisher.start()
            if radio is not None:
                await radio.start()
            await self._serve(stop, work)
            ended = "asked"
        finally:
            self._manager.tell(STOPPING=1)
            audit.stopped(ended)
            if radio is not None:
                await radio.stop()
            if recorder is not None:
                await asyncio.to_thread(recorder.close)
            await asyncio.to_thread(outbox.flush)
            await asyncio.to_thread(publisher.stop)
            await asyncio.to_thread(outbox.close)

    async def _serve(self, stop: asyncio.Event, work: _Work) -> None:
        supervision = self.supervision
        devices = {f"device:{intake.device.id}": number for number, intake in enumerate(self.pipeline.intakes)}
        supervision.start("pipeline", work.tick)
        supervision.start("status", work.report)
        for name, number in devices.items():
            supervision.start(name, work.supervisor(number).run, essential=False)
        watchdog = Watchdog(work.progress.workers(), self._manager)
        supervision.start("watchdog", watchdog.run)
        port = self.settings.prometheus.port
        if port is not None:
            supervision.start("metrics", lambda: keep_metrics(port, lambda: self.status), essential=False)
        self._manager.tell(READY=1)
        try:
            await supervision.wait(stop)
        finally:
            await supervision.end(devices)  # first, so that the last samples still go through the pipeline
            await supervision.end()
            await supervision.once("last steps", work.finish)

    def tell(self, status: Json) -> None:
        """Keep a status for whoever asks, and tell the service manager."""
        self.status = status
        self._manager.tell(STATUS=headline(status))

    @property
    def wall(self) -> WallClock:
        """The watch over the wall clock."""
        return self._wall

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
        path = folder / f"{self.settings.site.gateway}-{self._started.removesuffix('z')}.rgrec"
        recorder = Recorder(path, header, keep_free=keep_free(self.settings))
        log.info("recording to %s", recorder.path)
        return recorder


class _Work:
    """What the tasks of a run do, with the parts that they share."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        audit: Audit,
        decided: Decided,
        outbox: Outbox,
        publisher: Publisher,
        recorder: Recorder | None,
        radio: Radio | None,
    ) -> None:
        self._gateway = gateway
        self._settings = settings = gateway.settings
        self._pipeline, self._ticker = gateway.pipeline, gateway.ticker
        self._publisher = publisher
        self._recorder = recorder
        self._radio = radio
        self._audit = audit
        self._decided = decided
        self._outbox = outbox
        self._known = known_devices(settings)
        self._device_log = DeviceLog({intake.device.id: intake.transport for intake in gateway.pipeline.intakes})
        self._corrections: deque[tuple[int, Correction]] = deque()  # with when they were found out
        self._report = Report(
            settings,
            pipeline=gateway.pipeline,
            sessions=gateway.sessions,
            ticker=gateway.ticker,
            decided=decided,
            outbox=outbox,
            publisher=publisher,
            recorder=recorder,
            supervision=gateway.supervision,
            wall=gateway.wall,
            keep_free=keep_free(settings),
        )
        self.progress = Progress(gateway.pipeline, outbox, publisher, gateway.supervision, self._report.states)

    def supervisor(self, number: int) -> DeviceSupervisor:
        """Return who keeps a device streaming."""
        device = self._pipeline.intakes[number].device

        def sink(_device: str, frame: Frame) -> None:
            self._ticker.push(number, frame)

        def on_state(state: DeviceState) -> None:
            if state.state == "starting":
                self._ticker.push(number, Frame(self._gateway.clock_ns(), CONNECTED, b""))
            self._report.states[state.id] = state
            self._device_log.tell(state)

        return DeviceSupervisor(
            device.id,
            drivers.make(device.driver, device.options),
            sink=sink,
            on_state=on_state,
            clock_ns=self._gateway.clock_ns,
            radio=self._radio,
            address=device.address,
            name=device.name,
            port=device.port,
            known=self._known.address(device),
            judge=lambda told: self._known.judge(device, told),
        )

    async def tick(self) -> None:
        """Take every step of the pipeline as soon as its time is over."""
        origin_ns = self._gateway.origin.monotonic_ns
        while True:
            self.step_all()
            left_ns = STEP_NS - (self._gateway.clock_ns() - origin_ns) % STEP_NS
            await asyncio.sleep(max(left_ns / NS / self._settings.speed, SHORTEST_WAIT_S))

    def step_all(self) -> None:
        """Take the steps whose time is over."""
        wall, now_ns = self._gateway.wall, self._gateway.clock_ns()
        by_us = wall.look()
        if by_us:
            log.warning("the wall clock moved by %+.3f s", by_us / 1e6)
            self._audit.clock_moved(by_us)
            self._ticker.push(*clock_frame(now_ns, by_us))
        while wall.corrections:
            self._corrections.append((now_ns, wall.corrections.popleft()))
        for end_ns, frames in self._ticker.due():
            if self._recorder is not None:
                self._recorder.step(end_ns, frames)  # first: a step that fails has to be there when it is looked for
            measurements = self._pipeline.step(frames)
            self._correct(end_ns, frames)  # before what has the new time already, and after what has not
            self._report.measured += len(measurements)
            self._decided.append(measurements, frames)
            for curves in self._pipeline.take_curves():
                payload = encode_curves(self._settings.site.gateway, curves, self._pipeline.to_utc_us)
                self._publisher.set_curves(curves.slot, payload)
            if frames:
                late_ns = self._gateway.clock_ns() - frames[0][1].arrival_ns
                self._report.latency.add(late_ns / NS / self._settings.speed)

    def _correct(self, end_ns: int, frames: Sequence[Numbered]) -> None:
        """Say by how much all that was measured before is off, where this step moves the time."""
        moved_ns = max(
            (f.arrival_ns for number, f in frames if number == NO_DEVICE and f.channel == CLOCK_CHANNEL), default=-1
        )
        while self._corrections and (self._corrections[0][0] <= moved_ns or not self._corrections[0][1].by_us):
            origin = self._pipeline.origin
            said = corrected(
                self._corrections.popleft()[1],
                [(self._gateway.sessions[slot.id], slot.subject) for slot in self._settings.slot],
                at_us=origin.utc_us + (end_ns - origin.monotonic_ns) // 1000,
                simulated=self._settings.simulated,
            )
            self._decided.append(said, ())

    async def finish(self) -> None:
        """Take what has arrived until now, and close what is open."""
        self.step_all()
        self._decided.append(self._pipeline.finish(), ())

    async def report(self) -> None:
        """Say each second how everything is."""
        while True:
            status, notices = self._report.status(self._gateway.clock_ns())
            for notice in notices:
                level = logging.WARNING if notice["state"] == "raised" else logging.INFO
                log.log(level, "notice %s: %s (%s)", notice["state"], notice["text"], notice["id"])
                self._publisher.publish_notice(notice)
                self._outbox.record(durable(notice))
            self._audit.look()
            self._publisher.set_status(status)
            self._gateway.tell(status)
            for name in self.progress.stuck_devices():
                self._gateway.supervision.restart(name, "nothing has happened for too long")
            await asyncio.sleep(STATUS_S)


def hold_outbox(settings: Settings) -> FileLock | None:
    """Take the right to write the outbox of a configuration, before anything in its folder is opened or changed.

    Returns:
        The lock; None where the disk has no room for it at present: the outbox takes it when there is.

    Raises:
        HeldError: Another process has it.
        StartError: The folder cannot be used.
    """
    path = settings.site.data / "outbox.db"
    try:
        settings.site.data.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        return FileLock(path, gateway=settings.site.gateway)
    except OSError as error:
        if error.errno in FULL_DISK:
            return None
        raise StartError(f"{path} cannot be used: {(error.strerror or str(error)).lower()}") from error


def open_outbox(settings: Settings, lock: FileLock | None = None) -> Outbox:
    """Open the outbox of a configuration; raises StartError where its folder cannot be used, and HeldError."""
    path = settings.site.data / "outbox.db"
    try:
        settings.site.data.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        return Outbox(
            path,
            commit_s=settings.outbox.commit_ms / 1000,
            max_bytes=settings.outbox.max_megabytes << 20,
            max_age_s=settings.outbox.max_days * 86_400.0,
            gateway=settings.site.gateway,
            lock=lock,
        )
    except (OSError, sqlite3.OperationalError) as error:
        raise StartError(f"{path} cannot be used: {error}") from error


def keep_free(settings: Settings) -> int:
    """Return how many bytes recording leaves free: what the outbox may need, and a little for everybody else."""
    return (settings.outbox.max_megabytes << 20) + KEPT_FREE


async def serve(settings: Settings, lock: FileLock | None = None) -> None:
    """Run a gateway until SIGTERM or SIGINT, with a broker of its own where the configuration says so."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    broker = None
    if settings.broker.embedded:
        broker = EmbeddedBroker(settings.site.data / FOLDER, port=settings.broker.port)
        broker.start()  # nobody waits for it: what is measured is on disk first, whatever becomes of a broker
    try:
        await Gateway(settings, lock=lock).run(stop)
    finally:
        if broker is not None:
            await broker.stop()


def run(settings: Settings) -> None:
    """Run a gateway in this process; returns when it was told to stop."""
    manager = ServiceManager()

    def say(sentence: str) -> None:
        log.info("%s", sentence)
        manager.tell(STATUS=sentence)

    lock = hold_outbox(settings)
    try:
        warm_up(settings=settings, say=say)
        asyncio.run(serve(settings, lock))
    finally:
        if lock is not None:
            lock.release()
