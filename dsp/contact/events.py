"""What foot and shank report alike: events, the parts of a step, and how much of the past a kernel keeps."""

from __future__ import annotations

import math
from typing import Final

from dsp.record import Record

INITIAL_CONTACT: Final = 0
FINAL_CONTACT: Final = 1
FOOT_FLAT: Final = 2
GAP: Final = 3
NOTHING: Final = -1
NEVER: Final = math.inf  # an instant that has not come: unlike NaN it compares and takes part in min() as one expects

# Where the foot is in its cycle.
GROUND: Final = 0
SWING: Final = 1
LANDING: Final = 2

MAX_TAPS: Final = 31  # the smoothing window at 350 Hz takes 27


class ContactEvent(Record):
    """What happened to a foot or shank, and when."""

    sensor: int
    kind: int  # INITIAL_CONTACT, FINAL_CONTACT, FOOT_FLAT or GAP
    index: float  # the event on the device's sample counter; of a gap the last sample before it
    detected_index: int  # newest sample when it was detected; of a gap the first sample after it
    confidence: float  # 0 to 1


EVENT: Final = ContactEvent.layout()

HISTORY: Final = 2048  # samples of specific force and rate that are kept; a power of two; 8 s at 256 Hz
MAX_LANDING: Final = 128  # samples of a landing that are kept to look back into: 0.18 s at 350 Hz take 63

RATE_RANGE_HZ: Final = (20.0, 350.0)
"""Below, a slap falls between two samples; above, the windows outgrow their buffers."""
