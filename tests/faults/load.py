"""A gateway that makes numbered measurements: the product's outbox and publisher without devices.

    python -m tests.faults.load CONFIG JOURNAL RUN [--rate N] [--resend-after S] [--most N] [--status]

After each commit the journal gets a line ``epoch durable_seq run contents``: the last number that the outbox has
promised not to lose, and how many measurements of this run are surely among all that it has promised. What happens to
its files goes into the audit, as in the product. SIGTERM ends it in good order, anything else in bad.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from config.loader import load
from gateway.delivery.publisher import Publisher
from gateway.model.measurement import Measurement
from gateway.model.records import Record
from gateway.outbox.outbox import Outbox
from gateway.status.listener import gateway_status, outbox_status
from gateway.wire.receipt_key import receipt_key
from gateway.wire.topics import Topics
from tests.faults.content import RUN_FACTOR, made

POISONED = 4321
"""Which measurement of a run is spoilt, if one is."""
FUTURE_US = 4_102_444_800_000_000
"""The year 2100: VictoriaMetrics answers 204 and drops what lies more than two days ahead."""
RECORD_EVERY = 20
"""Steps of the pipeline between two notices, each with an entry of the audit."""
STEP_S = 0.05
"""The pipeline's own step."""
MOST_AT_ONCE = 5_000
"""Measurements of one step: a generator that was held up catches up bit by bit, and does not fill its memory."""


def main() -> None:
    """Make measurements until told to stop."""
    options = arguments()
    settings = load(options.config)
    outbox = Outbox(
        settings.site.data / "outbox.db",
        commit_s=settings.outbox.commit_ms / 1000,
        max_bytes=settings.outbox.max_megabytes << 20,
        gateway=settings.site.gateway,
    )
    publisher = Publisher(
        outbox,
        Topics(settings.site.site, settings.site.gateway),
        settings.broker,
        release=settings.outbox.release,
        historians=settings.outbox.historians or [""],
        receipt_key=receipt_key(settings),
        resend_after_s=options.resend_after,
    )
    journal = os.open(options.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    options.made = 0

    def promise() -> None:
        made_before = options.made
        state = outbox.state()
        if not state.epoch:
            return  # the file cannot be opened yet: nothing is promised
        durable = max(0, made_before - (state.last_seq - state.durable_seq))
        os.write(journal, f"{state.epoch} {state.durable_seq} {options.run} {durable}\n".encode())

    outbox.subscribe(promise)
    promise()
    publisher.start()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.status:

        def tell() -> None:
            time_us = time.time_ns() // 1000
            status = gateway_status(settings, time_us=time_us, ward=(), devices=[], outbox=outbox_status(outbox))
            publisher.set_status(cast("dict[str, Any]", status))

        produce(outbox, options, stop, tell)
    else:
        produce(outbox, options, stop)
    outbox.flush()
    publisher.stop()
    outbox.close()


def produce(
    outbox: Outbox, options: argparse.Namespace, stop: threading.Event, tell: Callable[[], None] = lambda: None
) -> None:
    """Append at a steady rate, in the steps of the pipeline; ``tell`` is called once a second."""
    began, n, step, first, aside = time.monotonic(), 0, 0, options.run * RUN_FACTOR, 0
    while not stop.wait(STEP_S):
        step += 1
        due = min(options.most, n + MOST_AT_ONCE, int((time.monotonic() - began) * options.rate))
        outbox.append([spoilt(made(first + k), options.poison if k == POISONED else "") for k in range(n, due)])
        if due > n and step % RECORD_EVERY == 0 and not options.poison:
            fields = {"number": first + step}
            outbox.record(Record("notice", "load", time.time_ns() // 1000, fields))
            outbox.record(Record("audit", "load", time.time_ns() // 1000, fields))
        options.made = n = due
        if step % RECORD_EVERY == 0:
            aside = audit_new(outbox, aside)
            tell()
    audit_new(outbox, aside)


def audit_new(outbox: Outbox, known: int) -> int:
    """Put into the audit what happened to the files, as `gateway.audit.audit` does.

    Args:
        outbox: Whose files they are.
        known: How many of those that were set aside had been told; what is returned is how many are now.
    """
    entries: list[tuple[str, Mapping[str, str | int]]] = [
        ("set-aside", {"file": name}) for name in outbox.aside[known:]
    ]
    new = outbox.incidents.drain()
    entries += [(incident.what, incident.fields) for incident in new if not incident.audited]
    for what, fields in entries:
        outbox.record(Record("audit", what, time.time_ns() // 1000, dict(fields)))
    return len(outbox.aside)


def spoilt(measurement: Measurement, how: str) -> Measurement:
    """Return a measurement that a reader cannot understand, or that a store takes and silently skips."""
    if how == "unreadable":
        return replace(measurement, unit=None)  # type: ignore[arg-type] # as a defect in the gateway would make it
    if how == "future":
        return replace(measurement, start_us=FUTURE_US, end_us=FUTURE_US)
    return measurement


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("journal", type=Path)
    parser.add_argument("run", type=int)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--resend-after", type=float, default=30.0)
    parser.add_argument("--status", action="store_true", help="tell once a second how things stand, as 'run' does")
    parser.add_argument("--poison", default="", help="spoil one measurement")
    parser.add_argument("--most", type=int, default=RUN_FACTOR)
    return parser.parse_args()


if __name__ == "__main__":
    main()
