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
    index: Ints, samples: Floats, first: Ints, counts: Ints, row: Ints, column: Ints, sign: Floats, to: Ints,
    own: Ints, acc: Floats, gyr: Floats,
) -> None:  # fmt: skip
    """Turn samples of k sensors into the segment frame.

    Args:
        index: (n,) number of each sample, of more sensors than these perhaps.
        samples: (n, channels) as decoded.
        first: (k,) where the samples of each sensor begin in these.
        counts: (k,) how many they are.
        row: (k,) of ``column`` and ``sign``.
        column: (rows, 6) from `picks`.
        sign: (rows, 6) from `picks`.
        to: (k,) where they begin in what comes out.
        own: (m,) out: the numbers.
        acc: (m, 3) out.
        gyr: (m, 3) out.
    """
    for j in range(len(first)):
        picked = row[j]
        for i in range(counts[j]):
            at, out = first[j] + i, to[j] + i
            own[out] = index[at]
            for axis in range(3):
                acc[out, axis] = sign[picked, axis] * samples[at, column[picked, axis]]
                gyr[out, axis] = sign[picked, 3 + axis] * samples[at, column[picked, 3 + axis]]
