"""What the desk refuses, in its log: anybody may ask a thousand times a second, and a log is read by people."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

SAY_AGAIN_S = 60.0
MOST_SENTENCES = 100
"""That are told apart within `SAY_AGAIN_S`: whoever asks may put some of the words."""


class Refusals:
    """Says each sentence when it is new, and then once a minute how often it was true.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said_s: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def add(self, sentence: str) -> None:
        """Note one more refusal."""
        now_s = self._clock()
        if now_s - self._said_s.get(sentence, -SAY_AGAIN_S) < SAY_AGAIN_S:
            self._unsaid[sentence] += 1
            return
        if sentence not in self._said_s and len(self._said_s) >= MOST_SENTENCES:
            self._forget(now_s)
            if len(self._said_s) >= MOST_SENTENCES:
                return
        times = self._unsaid.get(sentence, 0)
        log.warning("%s%s", sentence, f" (and {times} times more since it was said)" if times else "")
        self._said_s[sentence], self._unsaid[sentence] = now_s, 0

    def _forget(self, now_s: float) -> None:
        for sentence in [one for one, said_s in self._said_s.items() if now_s - said_s >= SAY_AGAIN_S]:
            del self._said_s[sentence], self._unsaid[sentence]
