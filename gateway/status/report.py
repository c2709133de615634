"""The status of a running gateway, once a second: everything that its parts say of themselves, and what is wrong."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import cast

from config.settings import Settings
from drivers.transport.link_quality import LinkQuality
from drivers.transport.supervisor import DeviceState
from gateway.analysis.pipeline import Pipeline
from gateway.broker.certificates import Certificates
from gateway.clocks.device_clock import NS
from gateway.clocks.wall_clock import WallClock
from gateway.delivery.publisher import Publisher
from gateway.intake.steps import Ticker
from gateway.machine.hardware import read_hardware
from gateway.machine.supervision import Supervision
from gateway.model.latency import Latency
from gateway.model.machine_status import DiskStatus, MachineStatus
from gateway.model.status import (
    CertificateChange,
    CertificateStatus,
    DeviceStatus,
    EventsStatus,
    NoticesStatus,
    NoticeStatus,
    PartStatus,
    PipelineStatus,
    PreparingStatus,
    PublisherStatus,
    RadioStatus,
    RecorderStatus,
    Status,
    WallClockStatus,
)
from gateway.outbox.outbox import Outbox
from gateway.recordings.recorder import Recorder
from gateway.status.answers import Answers
from gateway.status.backup_state import BackupWatch
from gateway.status.event_delays import EventDelays
from gateway.status.listener import device_status, gateway_status, outbox_status
from gateway.status.notice_rules import Judge
from gateway.status.notices import Notices

VERSION = installed_version("rehab-gateway")
"""Of what runs: an upgrade beside it changes nothing here."""
SHOWN_INCIDENTS = 16
"""Of what happened to the data, in a status: the newest."""


class Report:
    """Makes the status, and the notices that follow from it.

    Attributes:
        states: What each device's supervisor said last; kept by the gateway.
        links: How good each device's link is; kept by the gateway.
        radio: Tells how the radios are; set by the gateway.
        measured: Measurements made so far; kept by the gateway.
        reviews: What was measured that staff should look at; kept by the gateway.
        latency: From the arrival of a step's first frame to its end in the pipeline; kept by the gateway.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        pipeline: Pipeline,
        ticker: Ticker,
        event_delays: EventDelays,
        outbox: Outbox,
        publisher: Publisher,
        recorder: Recorder | None,
        supervision: Supervision,
        wall: WallClock,
        keep_free: int,
        answers: Answers,
        ward_differs: bool = False,
        preparing: Callable[[], PreparingStatus] = PreparingStatus,
    ) -> None:
        self.states: dict[str, DeviceState] = {}
        self.links: dict[str, LinkQuality] = {}
        self.radio: Callable[[], RadioStatus] = RadioStatus
        self.measured = 0
        self.reviews = answers.reviews(pipeline.origin.utc_us)
        self._answers = answers
        self.latency = Latency()
        self._settings = settings
        self._pipeline = pipeline
        self._ticker = ticker
        self._event_delays = event_delays
        self._outbox = outbox
        self._publisher = publisher
        self._recorder = recorder
        self._supervision = supervision
        self._wall = wall
        self._keep_free = keep_free
        self._ward_differs = ward_differs
        self._preparing = preparing
        self._judge = Judge()
        self._notices = Notices(settings.site.gateway, simulated=settings.simulated, resumed=answers.desk.resumed)
        self._rates = _Rates()
        self._certificates, self._backup = Certificates(settings), BackupWatch(settings)

    def status(self, now_ns: int) -> tuple[Status, list[NoticeStatus]]:
        """Return the payload of the status topic, and the notices to publish.

        Args:
            now_ns: The pipeline's clock.
        """
        now_s = (now_ns - self._pipeline.origin.monotonic_ns) / NS
        samples = {intake.device.id: intake.samples for intake in self._pipeline.intakes}
        rates = self._rates.since_last({**samples, "": self.measured})
        time_us = self._pipeline.origin.to_utc_us(now_s)
        mono_s = time.monotonic()
        present = {bed.slot.id: bed.slot.subject for bed in self._pipeline.ward}
        status = gateway_status(
            self._settings,
            time_us=time_us,
            ward=self._pipeline.ward,
            devices=self._devices(now_s, rates),
            version=VERSION,
            pipeline=self._work(samples, rates),
            preparing=self._preparing(),
            outbox=outbox_status(self._outbox),
            publisher=cast("PublisherStatus", asdict(self._publisher.state())),
            clock=cast("WallClockStatus", self._wall.status()),
            recorder=self._recording(),
            disk=disk_status(self._settings.site.data, self._keep_free),
            machine=cast("MachineStatus", asdict(read_hardware(self._settings.site.data))),
            backup=self._backup.status(),
            parts=self._parts(),
            certificates=cast("list[CertificateStatus]", self._certificates.status()),
            registry={"file_differs": self._ward_differs},
            radio=self.radio(),
            certificate_changes=cast("list[CertificateChange]", self._certificates.changes()),
            events=cast("EventsStatus", self._event_delays.drain()),
            incidents=[{"what": of.what, "text": of.text} for of in self._outbox.incidents.shown()[-SHOWN_INCIDENTS:]],
            reviews=self.reviews.shown(mono_s, present, self._answers.desk.acknowledged()),
            over_budget=self.reviews.over_budget(mono_s, present),
        )
        status["notices"] = self._said()
        changes = self._notices.update(mono_s, time_us, self._judge.find(mono_s, status, self._notices.ids))
        return status, self._answered(status, changes, mono_s, time_us)

    def _said(self) -> NoticesStatus:
        """Return what is to be said of notices beside those that stand."""
        found: NoticesStatus = {"held_back": dict(self.reviews.held_back)}
        if self._answers.push is not None:
            found["push"] = self._answers.push.status()
        return found

    def _answered(self, status: Status, changes: list[NoticeStatus], mono_s: float, time_us: int) -> list[NoticeStatus]:
        """Put into a status what stands, with what people answered; return the changes with it."""
        active = self._answers.desk.annotate(self._notices.active(time_us), time_us)
        changed = self._answers.desk.annotate(changes, time_us)
        status["notices"] |= {
            "active": active, "raised": dict(self._notices.counts), "paused": self._answers.desk.pauses(time_us),
        }  # fmt: skip
        self._answers.desk.stand(active, self.reviews.kept(mono_s, time_us), time_us)
        if self._answers.push is not None:
            self._answers.push.look(active)
        return changed

    def _devices(self, now_s: float, rates: Mapping[str, float]) -> list[DeviceStatus]:
        """Return what is to be said of each device that somebody wears."""
        return [
            device_status(
                intake,
                self.states.get(intake.device.id),
                now_s,
                rates[intake.device.id],
                self._pipeline.mounting(number),
                units=self._pipeline.doubts.get(number, ""),
                link=self.links.get(intake.device.id),
            )
            for number, intake in enumerate(self._pipeline.intakes)
            if intake.slot is not None
        ]

    def _work(self, samples: Mapping[str, int], rates: Mapping[str, float]) -> PipelineStatus:
        """Return how much is measured, and how soon; ``rates`` of measurements stand under the empty name."""
        return {
            "samples_per_s": round(sum(rates[device] for device in samples), 1),
            "measurements_per_s": rates[""],
            "measurements": self.measured,
            "samples": sum(samples.values()),
            "latency_ms": self.latency.summary_ms(),
            "to_broker_ms": self._event_delays.summary_ms(),
            "dropped": dict(self._ticker.dropped),
        }

    def _recording(self) -> RecorderStatus:
        if self._recorder is None:
            return {"recording": False, "file": "", "bytes": 0, "dropped": {}, "error": ""}
        return cast("RecorderStatus", asdict(self._recorder.state()))

    def _parts(self) -> dict[str, PartStatus]:
        return {
            part.name: {"failures": part.failures, "given_up": part.given_up, "error": part.error}
            for part in self._supervision.parts.values()
            if part.failures
        }


def disk_status(folder: Path, keep_free: int) -> DiskStatus:
    """Return how much room there is; empty where the disk does not answer."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return {}
    return {"free_bytes": usage.free, "total_bytes": usage.total, "keep_free": keep_free}


def headline(status: Status) -> str:
    """Return one line for the service manager."""
    devices = status["devices"]
    streaming = sum(device["state"] == "streaming" for device in devices)
    active = len(status["notices"]["active"])
    notices = f", {active} {'notice' if active == 1 else 'notices'}" if active else ""
    of = f"{streaming} of {len(devices)} devices streaming{notices}"
    preparing = status.get("preparing")
    return f"{of}; preparing movement analysis, {preparing['percent']} %" if preparing else of


class _Rates:
    """What counts grow by, a second."""

    def __init__(self) -> None:
        self._then = time.monotonic()
        self._counts: dict[str, int] = {}

    def since_last(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Return what each count grew by since the last call, a second."""
        now = time.monotonic()
        span = max(now - self._then, 1e-3)
        out = {name: round((count - self._counts.get(name, 0)) / span, 1) for name, count in counts.items()}
        self._then, self._counts = now, dict(counts)
        return out
