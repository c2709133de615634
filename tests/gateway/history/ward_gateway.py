"""A gateway's ward and what it measures, told to a history as an outbox would tell it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import finalize

import orjson

from gateway.history.history import History
from gateway.model.measurement import Measurement
from gateway.model.records import Record, body
from gateway.model.row import AUDIT, Chain, Row
from gateway.ward.changes import read_change
from gateway.ward.history_words import ENTERED
from gateway.ward.registry import Registry, Untold
from gateway.wire.payload import DecodedRecord, Message, decode_records, encode_records
from tests.gateway.samples import START_US, measurement

EPOCH = "0123456789abcdef"
SECOND_US = 1_000_000
DEVICE = {"id": "dot-1", "driver": "movella_dot", "placement": "left_foot", "address": "D4:22:CD:00:00:01"}


def us(second: int) -> int:
    """Return a time, seconds after the first."""
    return START_US + second * SECOND_US


def word(name: str, seq: int, what: str, at_us: int, fields: dict[str, Any], *, epoch: str = EPOCH) -> Message:
    """Return a word about its ward as a gateway sends it."""
    made, _ = body(Record("ward", what, at_us, fields), Chain())
    row = Row(seq, "", AUDIT, orjson.dumps({"seq": seq, **orjson.loads(made)}))
    message = decode_records(name, encode_records(name, epoch, 0, [row]))
    assert message.rejected == []
    return message


class Gateway:
    """One gateway with a bed, in which somebody wears a sensor; nothing of it reaches the history before `send`."""

    def __init__(self, folder: Path, name: str = "g-1", *, subject: str = "p-wrong", epoch: str = EPOCH) -> None:
        self.name = name
        self.epoch = epoch
        self.registry = Registry(folder / f"{name}.ward.db")
        finalize(self, self.registry.close)
        self.seq = 0
        self.handed = 0
        self.waiting: list[DecodedRecord | tuple[int, Measurement]] = []
        self.do(0, "add-bed", bed="bay-1")
        self.do(0, "add-device", device=DEVICE)
        self.do(0, "admit", subject=subject, bed="bay-1", height_m=1.7)
        self.do(0, "assign", device="dot-1", bed="bay-1", placement="left_foot")

    def do(self, second: int, name: str, **fields: Any) -> None:
        """Make a change at a second; its words wait for the history."""
        change = read_change(name, fields)
        self.registry.apply(change, at_us=us(second), by="Anna Weiss", source="command line")
        for event in self.registry.untold(self.handed):
            self.handed = event.id
            self.tell(event)

    def tell(self, event: Untold) -> None:
        """Have a word, or what somebody entered, wait for the history."""
        self.seq += 1
        if event.what == ENTERED:
            fields = {name: value for name, value in event.fields.items() if name != "number"}
            self.waiting.append((self.seq, Measurement.from_dict({**fields, "simulated": True})))
        else:
            self.waiting += word(self.name, self.seq, event.what, event.at_us, event.fields, epoch=self.epoch).records

    def measure(self, first: int, last: int, *, value: float = 1.0) -> None:
        """Measure once a second, under the session in force; each value stands for one second."""
        bed = self.registry.state.in_force()[0]
        for second in range(first, last):
            self.seq += 1
            made = replace(
                measurement(second), start_us=us(second), end_us=us(second) + SECOND_US, value=value,
                session=bed.session, subject=bed.slot.subject,
            )  # fmt: skip
            self.waiting.append((self.seq, made))

    def session(self, begin: int, end: int, *, value: float = 1.0, protocol: str = "10mwt") -> str:
        """Measure a session; return its id."""
        subject = self.registry.state.subjects[0].id
        self.do(begin, "session-start", subject=subject, protocol=protocol)
        session = self.registry.state.sessions[-1].id
        self.measure(begin, end, value=value)
        self.do(end, "session-end", session=session)
        return session

    def messages(self) -> list[Message]:
        """Return what waits, one by one."""
        waiting, self.waiting = self.waiting, []
        return [
            Message(self.name, self.epoch, 0, records=[one]) if isinstance(one, DecodedRecord)
            else Message(self.name, self.epoch, 0, [one])
            for one in waiting
        ]  # fmt: skip

    def send(self, history: History) -> None:
        """Have the history store all that waits."""
        history.store(self.messages())
