"""Which records the devices of a gateway have sent, in this run and before: what comes again is known by them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import orjson

from drivers.kept_records import KeptRecords
from drivers.packet import Frame
from gateway.intake.frames import NO_DEVICE, Numbered, Origin

SENT_CHANNEL: Final = "known-records"
"""Of the frame that comes before all else. Payload: JSON, by device id what `Sent.drain` returned in an earlier run."""

log = logging.getLogger(__name__)


class Sent(defaultdict[str, KeptRecords]):
    """The records of each device, by its id."""

    def __init__(self) -> None:
        super().__init__(KeptRecords)

    def remember(self, payload: bytes, origin: Origin) -> None:
        """Take what devices sent before this run; nothing of what this program does not write."""
        found = _parsed(payload)
        for device, told in found.items() if isinstance(found, dict) else ():
            if isinstance(told, list):
                self[device].read(told, origin.to_ns)

    def drain(self, origin: Origin) -> dict[str, str]:
        """Return all records of the devices that have sent any since the last call, as JSON by id."""
        changed = {device: records for device, records in self.items() if records.changed}
        return {device: orjson.dumps(records.told(origin.of_ns)).decode() for device, records in changed.items()}


def sent_frame(arrival_ns: int, known: Mapping[str, str]) -> Numbered:
    """Return what goes into the pipeline's input first: the records that are known, as JSON by device id.

    What cannot be read of one device costs no other its own.
    """
    entries = {device: _parsed(told.encode()) for device, told in known.items()}
    for device in [device for device, told in entries.items() if not isinstance(told, list)]:
        log.warning("what %s has sent before cannot be read: what it sends again is measured again", device)
        del entries[device]
    return NO_DEVICE, Frame(arrival_ns, SENT_CHANNEL, orjson.dumps(entries))


def _parsed(text: bytes) -> Any:
    """Return what JSON says; None where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
