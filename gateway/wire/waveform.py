"""The bytes of raw samples."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

HEADER = struct.Struct("<BBHfq")  # version, channels, samples, rate in Hz, first sample in UTC microseconds
VERSION = 1


def encode(start_us: int, rate_hz: float, samples: NDArray[np.float64]) -> bytes:
    """Return a payload of the waveform topic from samples (n, channels); NaN marks lost ones."""
    n, channels = samples.shape
    return HEADER.pack(VERSION, channels, n, rate_hz, start_us) + samples.astype("<f4").tobytes()
