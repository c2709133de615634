"""From how a sensor is strapped on to the segment's axes: signed permutations, exact, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsp.kernel import kernel
from gateway.clocks.timeline import Floats, Ints


def picks(axes: str, channels: Sequence[str]) -> tuple[Ints, Floats]:
    """Return which column, and with which sign, becomes each of (acc, gyr) x (forward, left, up).

    Args:
        axes: ``Device.axes``: the sensor axis that points forward, left and up, such as ``"-x -y z"``.
        channels: The stream's.
    """
    pointing = axes.split()
    columns = [channels.index(f"{kind}_{axis[-1]}") for kind in ("acc", "gyr") for axis in pointing]
    signs = [-1.0 if axis[0] == "-" else 1.0 for axis in pointing]
    return np.array(columns, np.int64), np.array(signs * 2)


@kernel
def turn(  # noqa: PLR0917 - numba takes positional arguments
    samples: Floats, start: Ints, column: Ints, sign: Floats, acc: Floats, gyr: Floats
) -> None:
    """Turn samples (m, channels) of k sensors into the segment frame; sensor j owns ``start[j]:start[j + 1]``.

    Args:
        samples: As decoded.
        start: (k + 1,) row offsets.
        column: (k, 6) from `picks`.
        sign: (k, 6) from `picks`.
        acc: (m, 3) out.
        gyr: (m, 3) out.
    """
    for j in range(len(start) - 1):
        for i in range(start[j], start[j + 1]):
            for axis in range(3):
                acc[i, axis] = sign[j, axis] * samples[i, column[j, axis]]
                gyr[i, axis] = sign[j, 3 + axis] * samples[i, column[j, 3 + axis]]
