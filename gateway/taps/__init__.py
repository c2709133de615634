"""Raw samples on gateway time for programs beside the gateway: in an identifier of device and stream, out typed arrays.

It knows the broker and the bytes of a waveform, and nothing of what the gateway does inside.
"""

from gateway.taps.batch import Batch
from gateway.taps.taps import Taps

__all__ = ["Batch", "Taps"]
