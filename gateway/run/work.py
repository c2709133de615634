"""What the tasks of a running gateway do: take the steps, follow the ward, mend the times, say how everything is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from config.settings import Settings
from gateway.audit.audit import Audit
from gateway.clocks.device_clock import NS
from gateway.delivery.publisher import Publisher
from gateway.intake.frames import CLOCK_CHANNEL, NO_DEVICE, STEP_NS, Numbered, clock_frame
from gateway.machine.supervision import Supervision
from gateway.model.status import PreparingStatus, Status
from gateway.model.wall_correction import Correction
from gateway.model.wall_correction import measurements as corrected
from gateway.model.ward import Ward
from gateway.outbox.outbox import Outbox
from gateway.pairing.desk import Desk
from gateway.recordings.recorder import Recorder
from gateway.run.devices import Devices
from gateway.run.sent_records import SentRecords
from gateway.run.step_stream import StepStream
from gateway.run.worn_devices import WornDevices
from gateway.status.answers import Answers
from gateway.status.event_delays import EventDelays
from gateway.status.home_assistant import HomeAssistant
from gateway.status.notices import durable
from gateway.status.progress import Progress
from gateway.status.report import Report
from gateway.ward.state import WardState
from gateway.wire.curves import encode_curves

log = logging.getLogger(__name__)

STATUS_S = 1.0
SHORTEST_WAIT_S = 0.005  # simulated time may run fast, but the loop also has radios to serve
MOST_SESSIONS = 4096
"""Sessions of a run whose times are mended when the clock is set; the newest."""
KEPT_FREE = 256 << 20  # bytes that recording leaves free beyond what the outbox may still grow by


class Work:
    """What the tasks of a run do, with the parts that they share."""

    def __init__(
        self, settings: Settings, steps: StepStream, supervision: Supervision, *,
        on_status: Callable[[Status], None], audit: Audit, event_delays: EventDelays, outbox: Outbox,
        publisher: Publisher, recorder: Recorder | None, ward_differs: bool,
        preparing: Callable[[], PreparingStatus], answers: Answers,
    ) -> None:  # fmt: skip
        self._settings, self._steps, self._supervision = settings, steps, supervision
        self._pipeline, self._ticker = steps.pipeline, steps.ticker
        self._on_status = on_status
        self._publisher = publisher
        self._recorder = recorder
        self._audit, self._event_delays = audit, event_delays
        self._home = HomeAssistant(settings, publisher.keep, publisher.publish_live)
        self._outbox = outbox
        self._ward: Ward = steps.pipeline.ward
        self._sessions, self._late = _subjects(self._ward), cast("Ward | None", None)
        self._corrections: deque[tuple[int, Correction]] = deque()  # with when they were found out
        self._report = Report(
            settings, pipeline=steps.pipeline, ticker=steps.ticker, event_delays=event_delays, outbox=outbox,
            publisher=publisher, recorder=recorder, supervision=supervision, wall=steps.wall,
            keep_free=keep_free(settings), ward_differs=ward_differs, preparing=preparing, answers=answers,
        )  # fmt: skip
        self.devices = Devices(
            settings, steps.pipeline.intakes, supervision, steps.ticker, clock_ns=steps.clock_ns,
            states=self._report.states, links=self._report.links,
        )  # fmt: skip
        self._sent = SentRecords(steps.pipeline, outbox)
        steps.ticker.append_frame(*self._sent.first_frame(steps.clock_ns()))
        self._report.radio = self.devices.radio_status
        self.progress = Progress(
            steps.pipeline, outbox, publisher, supervision, self._report.states,
            exhausted=self.devices.radios_exhausted,
        )  # fmt: skip

    def desk(self, ward: Callable[[], WardState]) -> Desk:
        """Return a desk for whoever hands out sensors, with the radio and the devices of this gateway."""
        worn = WornDevices(self.devices, self._pipeline, self._report.states)
        return Desk(self._settings, ward=ward, open_radio=self.devices.open_radio, worn=worn)

    async def close(self) -> None:
        """Let go of the devices, and of what was announced to a home."""
        await self.devices.close()
        self._home.close(told=self._publisher.state().connected)

    def keep_sent(self) -> None:
        """Keep which records devices have sent, after the last step, when what was measured by them is on disk."""
        self._sent.look()

    async def tick(self) -> None:
        """Take every step of the pipeline as soon as its time is over."""
        origin_ns = self._steps.origin.monotonic_ns
        while True:
            self.step_all()
            left_ns = STEP_NS - (self._steps.clock_ns() - origin_ns) % STEP_NS
            await asyncio.sleep(max(left_ns / NS / self._settings.speed, SHORTEST_WAIT_S))

    def step_all(self) -> None:
        """Take the steps whose time is over."""
        wall, now_ns = self._steps.wall, self._steps.clock_ns()
        by_us = wall.look()
        if by_us:
            log.warning("the wall clock moved by %+.3f s", by_us / 1e6)
            self._audit.clock_moved(by_us)
            self._ticker.append_frame(*clock_frame(now_ns, by_us))
        while wall.corrections:
            self._corrections.append((now_ns, wall.corrections.popleft()))
        for end_ns, frames in self._ticker.due():
            if self._recorder is not None:
                self._recorder.step(end_ns, frames)  # first: a step that fails has to be there when it is looked for
            measurements = self._pipeline.step(frames)
            self._correct(end_ns, frames)  # before what has the new time already, and after what has not
            self._report.measured += len(measurements)
            self._report.reviews.add(measurements, time.monotonic())
            self._home.add(measurements)
            self._event_delays.append(measurements, frames)
            for curves in self._pipeline.drain_curves():
                payload = encode_curves(self._settings.site.gateway, curves, self._pipeline.origin.to_utc_us)
                self._publisher.set_curves(curves.slot, payload)
            if self._pipeline.ward is not self._ward:
                self._follow(self._pipeline.ward)
            if frames:
                late_ns = self._steps.clock_ns() - frames[0][1].arrival_ns
                self._report.latency.add(late_ns / NS / self._settings.speed)

    def _see_ward(self) -> None:
        """See that the newest ward came into force: a step that fails may take the change with it."""
        wanted = self._steps.wanted
        late = wanted != self._pipeline.ward
        if late and wanted is self._late:  # not since the last look either
            self._steps.put_in_again()
        self._late = wanted if late else None

    def _follow(self, ward: Ward) -> None:
        """Begin with the devices that are worn now, end with those that are not."""
        self._ward = ward
        begun = {session: of for session, of in _subjects(ward).items() if session not in self._sessions}
        self._sessions |= begun
        self._doubt(begun)
        for session in list(self._sessions)[:-MOST_SESSIONS]:
            del self._sessions[session]
        self.devices.follow()

    def _doubt(self, begun: Mapping[str, str]) -> None:
        """Say of sessions that begin while the clock is not believed what was said of those before them."""
        doubt = self._steps.wall.doubt
        if doubt is not None and begun:
            at_us, simulated = self._steps.utc_us(), self._settings.simulated
            self._event_delays.append(corrected(doubt, list(begun.items()), at_us=at_us, simulated=simulated), ())

    def _correct(self, end_ns: int, frames: Sequence[Numbered]) -> None:
        """Say by how much all that was measured before is off, where this step moves the time."""
        moved_ns = max(
            (f.arrival_ns for number, f in frames if number == NO_DEVICE and f.channel == CLOCK_CHANNEL), default=-1
        )
        while self._corrections and (self._corrections[0][0] <= moved_ns or not self._corrections[0][1].by_us):
            origin = self._pipeline.origin
            corrections = corrected(
                self._corrections.popleft()[1],
                list(self._sessions.items()),
                at_us=origin.utc_us + (end_ns - origin.monotonic_ns) // 1000,
                simulated=self._settings.simulated,
            )
            self._event_delays.append(corrections, ())

    async def finish(self) -> None:
        """Take what has arrived until now, and close what is open."""
        self.step_all()
        last = self._pipeline.finish()
        self._report.reviews.add(last, time.monotonic())
        self._event_delays.append(last, ())

    async def report(self) -> None:
        """Say each second how everything is."""
        while True:
            self._see_ward()
            self._sent.look()
            status, notices = self._report.status(self._steps.clock_ns())
            for notice in notices:
                level = logging.WARNING if notice["state"] == "raised" else logging.INFO
                log.log(level, "notice %s: %s (%s)", notice["state"], notice["text"], notice["id"])
                self._publisher.publish_notice(cast("dict[str, Any]", notice))
                self._outbox.record(durable(notice))
            self._audit.look()
            self._publisher.set_status(cast("dict[str, Any]", status))
            self._on_status(status)
            self._home.look(status)
            for name in self.progress.stuck_devices():
                self._supervision.restart(name, "nothing has happened for too long")
            await asyncio.sleep(STATUS_S)


def _subjects(ward: Ward) -> dict[str, str]:
    """Return whose each session in force is."""
    return {bed.session: bed.slot.subject for bed in ward}


def keep_free(settings: Settings) -> int:
    """Return how many bytes recording leaves free: what the outbox may need, and a little for everybody else."""
    return (settings.outbox.max_megabytes << 20) + KEPT_FREE
