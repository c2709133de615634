"""Frames of many devices to samples, kind by kind; what one driver does wrong harms nobody else's samples."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np

from drivers.driver import MISFIT, Decoder
from drivers.packet import Frames, Packets
from gateway.intake.intake import Intake

FAILED = "the driver failed"

log = logging.getLogger(__name__)


class Decoding:
    """Calls the drivers. A kind that has failed is asked for each device by itself from then on."""

    def __init__(self) -> None:
        self._failed: set[type[Decoder]] = set()

    def decode(self, intakes: Sequence[Intake], sent: Frames) -> Iterator[Packets]:
        """Yield what is decoded of frames of devices, those of one kind next to each other."""
        decoders = [intake.decoder for intake in intakes]
        begin = 0
        for kind, alike in groupby(map(type, decoders)):
            end = begin + len(list(alike))
            parts = pairwise(range(begin, end + 1)) if kind in self._failed else [(begin, end)]
            for first, last in parts:
                own = slice(first, last)
                for packets in self._decode_kind(kind, intakes[own], decoders[own], sent.part(first, last)):
                    yield packets.owned_by(np.arange(first, last))
            begin = end

    def _decode_kind(
        self, kind: type[Decoder], intakes: Sequence[Intake], decoders: Sequence[Decoder], sent: Frames
    ) -> list[Packets]:
        try:
            if kind.uncounted:
                sent = Frames.of([intake.once(each) for intake, each in zip(intakes, sent.each(), strict=True)])
            found = kind.decode_batch(decoders, sent)
            fitting = [packets for packets in found if packets.fits(len(intakes))]
        except Exception:  # a stranger's driver may raise anything, and its neighbours go on
            if kind not in self._failed:
                self._failed.add(kind)  # it may be one device that spoils it for the others
                ids = ", ".join(intake.device.id for intake in intakes)
                log.exception("the driver of %s failed (further times are only counted)", ids)
            note(intakes, FAILED)
            return []
        if len(fitting) < len(found):
            note(intakes, MISFIT)
        return fitting


def note(intakes: Sequence[Intake], fault: str) -> None:
    """Count for devices what is wrong with what their driver made of their bytes."""
    for intake in intakes:
        intake.note(fault)
