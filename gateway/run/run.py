"""The gateway process: radios and ports, the pipeline, the outbox and the publisher, until told to stop."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypeVar

from config.settings import Settings
from gateway.analysis.known_drivers import KnownDrivers
from gateway.analysis.warm_up import is_kept, needs, warm_up, where
from gateway.audit.audit import Audit
from gateway.broker.certificates import broker_for
from gateway.broker.door import FOLDER
from gateway.broker.embedded import EmbeddedBroker
from gateway.clocks.wall_clock import WallClock
from gateway.delivery.publisher import Publisher
from gateway.machine.arithmetic import arithmetic
from gateway.machine.file_lock import FileLock
from gateway.machine.full_disk import takes_nothing
from gateway.machine.garbage import look_seldom
from gateway.machine.private_files import FOLDER_MODE
from gateway.machine.staging import remove_left_over
from gateway.machine.starting import Starting
from gateway.machine.supervision import Supervision
from gateway.machine.watchdog import ServiceManager, Watchdog
from gateway.model.status import Status
from gateway.model.ward import Ward, going_on_of, settings_of
from gateway.outbox.outbox import Outbox
from gateway.recordings.recorder import Recorder
from gateway.recordings.recording import Header
from gateway.run.asking import topic_of_before
from gateway.run.notice_answers import open_answers
from gateway.run.pairing_commands import PairingCommands
from gateway.run.preparation import Preparation
from gateway.run.step_stream import StepStream
from gateway.run.ward_commands import WardCommands
from gateway.run.watch import Watch
from gateway.run.work import Work, keep_free
from gateway.status.event_delays import EventDelays
from gateway.status.report import headline
from gateway.ward.kept_ward import KeptWard
from gateway.ward.registry import RegistryError
from gateway.wire.commands import DEVICES, DEVICES_RESULT
from gateway.wire.receipt_key import ReceiptKey, ReceiptKeyError, receipt_key
from gateway.wire.topics import Topics

T = TypeVar("T")

log = logging.getLogger(__name__)

ASKED_OF_PAIRING = frozenset({*DEVICES, DEVICES_RESULT})


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
        ward: The registry, if it is open already.

    Attributes:
        status: The newest status; empty before the first.
        steps: What it measures by.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        manager: ServiceManager | None = None,
        wall: WallClock | None = None,
        lock: FileLock | None = None,
        ward: KeptWard | None = None,
    ) -> None:
        self.settings = settings
        self._lock = lock
        self._ward = ward
        self.status: Status = {}
        self.supervision = Supervision()
        self._manager = manager or ServiceManager()
        self._topics = Topics(settings.site.site, settings.site.gateway)
        self.steps = StepStream(settings, wall or WallClock())
        self._started = datetime.fromtimestamp(self.steps.origin.utc_us / 1e6, UTC).strftime("%Y%m%dt%H%M%Sz")

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
        remove_left_over(self.settings.site.data)
        try:
            ward = self._ward or open_ward(self.settings, self.steps.utc_us())
        except BaseException:
            outbox.close()
            raise
        try:
            await self._run(stop, outbox, ward, key)
        finally:
            await asyncio.to_thread(outbox.close)
            ward.close()

    async def _run(self, stop: asyncio.Event, outbox: Outbox, ward: KeptWard, key: ReceiptKey | None) -> None:
        in_force = self._begin_run(ward)
        beds = settings_of(self.settings, in_force)
        self.steps.begin(beds, in_force)
        watch = Watch(self.steps.pipeline, self._topics, simulated=self.settings.simulated)
        audit = Audit(outbox, self.settings)
        event_delays = EventDelays(outbox, self.steps.pipeline.intakes, self.steps.real_ns)
        loop = asyncio.get_running_loop()
        preparation = Preparation(lambda names: _call_in(loop, self.steps.put_in_unready, tuple(names)))
        answers = open_answers(self.settings, ward, self.steps.told_us)
        commands = WardCommands(
            self.settings, ward, audit, outbox, now_us=self.steps.utc_us, prepare=preparation.need,
            put_in=lambda after: _call_in(loop, self.steps.put_in, after), answer=answers.desk.command,
            other=lambda name, payload: (pairing if name in ASKED_OF_PAIRING else watch).command(name, payload),
        )  # fmt: skip
        publisher = self._publisher(outbox, commands, event_delays, key)
        watch.publish, commands.publish = publisher.publish_live, publisher.set_ward
        recorder = self._recorder(beds) if self.settings.recorder.enabled else None
        work = Work(
            self.settings, self.steps, self.supervision, on_status=self._on_status, audit=audit,
            event_delays=event_delays, outbox=outbox, publisher=publisher, recorder=recorder,
            ward_differs=ward.differs, preparing=preparation.state, answers=answers,
        )  # fmt: skip
        pairing = PairingCommands(work.desk(lambda: ward.state), loop)
        audit.started(in_force)
        commands.publish_ward()
        ended = "failed"
        try:
            preparation.need(needs(beds))
            publisher.start()
            await work.devices.open()
            await self._serve(stop, work, commands)
            ended = "asked"
        finally:
            self._manager.notify(STOPPING=1)
            audit.stopped(ended)
            await pairing.close()
            await work.close()
            closers = (outbox.flush, work.keep_sent, publisher.stop, preparation.close, commands.close, answers.close)
            await _end_all(*([recorder.close] if recorder else []), *closers)

    def _begin_run(self, ward: KeptWard) -> Ward:
        """Have the ward begin another run of the gateway; return it as it is in force."""
        # A machine that begins in 1970 each time would give two runs one name.
        again = "" if self.steps.wall.set else f"-{secrets.token_hex(3)}"
        return ward.starts(self.steps.origin.utc_us, again).in_force()

    def _publisher(
        self, outbox: Outbox, commands: WardCommands, event_delays: EventDelays, key: ReceiptKey | None
    ) -> Publisher:
        return Publisher(
            outbox,
            self._topics,
            broker_for(self.settings, "gateway"),
            release=self.settings.outbox.release,
            on_command=commands.command,
            on_obeyed=commands.obeyed,
            on_taken=event_delays.taken,
            historians=self.settings.outbox.historians or [""],
            receipt_key=key,
        )

    async def _serve(self, stop: asyncio.Event, work: Work, commands: WardCommands) -> None:
        supervision = self.supervision
        supervision.start("pipeline", work.tick)
        supervision.start("status", work.report)
        supervision.start("ward file", commands.look_after, essential=False)
        work.devices.follow()
        watchdog = Watchdog(work.progress.workers(), self._manager)
        supervision.start("watchdog", watchdog.run)
        port = self.settings.prometheus.port
        if port is not None:
            from gateway.status.prometheus import keep_metrics

            supervision.start("metrics", lambda: keep_metrics(port, lambda: self.status), essential=False)
        self._manager.notify(READY=1)
        try:
            await supervision.wait(stop)
        finally:
            await work.devices.end()  # first, so that the last samples still go through the pipeline
            await supervision.end()
            await supervision.once("last steps", work.finish)

    def _on_status(self, status: Status) -> None:
        """Keep a status for whoever asks, and tell the service manager."""
        self.status = status
        self._manager.notify(STATUS=headline(status))

    def _recorder(self, settings: Settings) -> Recorder:
        folder = self.settings.recorder.folder or self.settings.site.data / "recordings"
        header = Header(
            settings=settings.model_dump(mode="json", exclude={"notices"}),  # an address may hold a key
            sessions=self.steps.sessions,
            origin_ns=self.steps.origin.monotonic_ns,
            origin_us=self.steps.origin.utc_us,
            version=version("rehab-gateway"),
            arithmetic=arithmetic(),
            going_on=going_on_of(self.steps.pipeline.ward),
        )
        path = folder / f"{self.settings.site.gateway}-{self._started.removesuffix('z')}.rgrec"
        recorder = Recorder(path, header, keep_free=keep_free(self.settings))
        log.info("recording to %s", recorder.path)
        return recorder


async def _end_all(*ends: Callable[[], object]) -> None:
    for end in ends:
        await asyncio.to_thread(end)


def _call_in(loop: asyncio.AbstractEventLoop, call: Callable[[T], None], argument: T) -> None:
    """Have a loop call something; one that is closed already belongs to a run that is over."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call, argument)


def open_ward(settings: Settings, at_us: int | None = None) -> KeptWard:
    """Open the registry of a configuration; raises StartError where it cannot be used, and HeldError."""
    try:
        now_us = time.time_ns() // 1000 if at_us is None else at_us
        return KeptWard(settings, at_us=now_us, drivers=KnownDrivers(), ask_broker=lambda: topic_of_before(settings))
    except RegistryError as error:
        raise StartError(str(error)) from error


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
        if takes_nothing(error):
            return None  # what is made waits in memory
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


async def serve(
    settings: Settings,
    lock: FileLock | None = None,
    ward: KeptWard | None = None,
    *,
    manager: ServiceManager | None = None,
) -> None:
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
        await Gateway(settings, manager=manager, lock=lock, ward=ward).run(stop)
    finally:
        if broker is not None:
            await broker.stop()


def run(settings: Settings) -> None:
    """Run a gateway in this process; returns when it was told to stop."""
    manager = ServiceManager()
    look_seldom()
    with Starting(manager) as starting:

        def show_progress(sentence: str) -> None:
            log.info("%s", sentence)
            starting.at(sentence)

        lock = hold_outbox(settings)
        try:
            starting.at("opening the ward")
            ward = open_ward(settings)
            try:
                in_use = settings_of(settings, ward.state.in_force())
                log.info("the signal processing is %s", where())
                if all(map(is_kept, needs(in_use))):  # else they are compiled while everything else works already
                    warm_up(settings=in_use, on_progress=show_progress)
                starting.at("opening the outbox")
                asyncio.run(serve(settings, lock, ward, manager=manager))
            finally:
                ward.close()
        finally:
            if lock is not None:
                lock.release()
