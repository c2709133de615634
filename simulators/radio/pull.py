"""What a device takes of its source: what is due while a gateway wants it, and of the rest only the number."""

from __future__ import annotations

from simulators.motion.blocks import empty_motion
from simulators.motion.source import Motion, MotionSource
from simulators.radio.counts import Counts

SKIP_S = 0.5  # of a source that nobody takes, at a time: three hundred devices that wait to be connected cost little
NOTHING = empty_motion()


class Pull:
    """Takes samples from a source, in step with simulated time.

    Args:
        source: Where they come from.
        counts: Of the device: what nobody wants is unsent.
    """

    def __init__(self, source: MotionSource, counts: Counts) -> None:
        self._source = source
        self._counts = counts
        self._idle = False
        self._skip_at_s = 0.0

    def due(self, until_s: float, *, wanted: bool) -> Motion | None:
        """Return the samples that are due at ``until_s`` if somebody wants them, else none; None at the end.

        What was due before somebody began to want them is left out.
        """
        if wanted and not self._idle:
            return self._source.read_until(until_s)
        if not wanted and until_s < self._skip_at_s:
            return NOTHING
        self._idle, self._skip_at_s = not wanted, until_s + SKIP_S
        skipped = self._source.skip(until_s)
        self._counts.unsent += skipped or 0
        return None if skipped is None else NOTHING
