"""The steps of a run: the clock that they go by, what is put into them, and the pipeline that takes them."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from config.settings import Settings
from gateway.analysis.needs import unready_frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.clocks.wall_clock import WallClock
from gateway.intake.frames import Origin, ward_frame
from gateway.intake.steps import Ticker
from gateway.model.ward import Ward, encode_ward, going_on_of, sessions_of

log = logging.getLogger(__name__)


class StepStream:
    """What a run measures by. Its methods are for the event loop, but for the clocks.

    Args:
        settings: A configuration that has been checked.
        wall: Watches the wall clock.

    Attributes:
        wall: The same.
        origin: When the run began, by both clocks.
        ticker: Gathers the frames of each step.
        pipeline: From `begin` on.
        wanted: The ward after the last change: what the pipeline goes by within a step.
    """

    def __init__(self, settings: Settings, wall: WallClock) -> None:
        self._speed = settings.speed
        self.wall = wall
        self._real_ns = time.monotonic_ns()
        self.origin = Origin(self._real_ns, wall.utc_us(self._real_ns))
        self.ticker = Ticker(self.origin.monotonic_ns, self.clock_ns)
        self.pipeline: Pipeline
        self.wanted: Ward = ()

    def begin(self, settings: Settings, ward: Ward) -> None:
        """Make the pipeline for the ward that is in force; ``settings`` are those with its beds."""
        self.wanted = ward
        self.pipeline = Pipeline(settings, self.origin, sessions_of(ward), going_on=going_on_of(ward))

    def clock_ns(self) -> int:
        """Return the monotonic clock; simulated time may run faster."""
        return self._real_ns + round((time.monotonic_ns() - self._real_ns) * self._speed)

    def real_ns(self, clock_ns: int) -> int:
        """Return the machine's monotonic time at a time of `clock_ns`."""
        return self._real_ns + round((clock_ns - self._real_ns) / self._speed)

    def utc_us(self) -> int:
        """Return the wall clock in UTC microseconds; simulated time where that runs faster, as in measurements."""
        return self.wall.utc_us(self.clock_ns())

    def told_us(self) -> int:
        """Return the present as the status tells it, UTC microseconds; simulated time may run faster."""
        origin = self.pipeline.origin
        return origin.to_utc_us((self.clock_ns() - origin.monotonic_ns) / NS)

    @property
    def sessions(self) -> dict[str, str]:
        """The session in force of each bed."""
        return sessions_of(self.pipeline.ward)

    def put_in(self, ward: Ward) -> None:
        """Put a change of the ward into the steps: it is in force from the end of its step."""
        self.wanted = ward
        self.ticker.append_frame(*ward_frame(self.clock_ns(), encode_ward(ward)))

    def put_in_again(self) -> None:
        """Put the newest ward into the steps once more: the step that should have taken it has failed."""
        log.warning("a change of the ward did not come into force: once more")
        self.put_in(self.wanted)

    def put_in_unready(self, names: Collection[str]) -> None:
        """Put into the steps which kernels are not ready: who needs them waits from the begin of its step."""
        self.ticker.append_frame(*unready_frame(self.clock_ns(), names))
