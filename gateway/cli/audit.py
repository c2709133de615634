"""``rehab-gateway audit``: what happened to the gateways, from the history, and whether the record of it is whole."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path

from rich.table import Table
from rich.text import Text

from config.settings import Settings
from gateway.audit.chain import Books, GivenTwice, KnownGap, Link, check
from gateway.cli.terminal import Terminal
from gateway.history.books.conflicts import body_of
from gateway.history.file import NEVER_CAME, REMOVED
from gateway.history.reader import HistoryReader
from gateway.machine.plain_text import plain_json, visible
from gateway.model.records import PURGED
from gateway.model.usage import UsageError
from gateway.outbox.eviction import NO_END

WHOLE, BROKEN = 0, 1
MICRO = 1_000_000
PLUMBING = ("kind", "what", "time_us", "n", "previous", PURGED)
"""Fields that have a column of their own, or tie the chain."""


def audit(settings: Settings, *, as_json: bool) -> int:
    """Print the audit; return the exit status: 0 if every chain is whole. Raises UsageError without a history."""
    path = settings.historian.database or settings.site.data / "history.db"
    if not path.is_file():
        raise UsageError(f"{path}: there is no such history; run this where the historian runs")
    chains, cut = read(path, sharing=settings.historian.share is not None)
    lost = lost_numbers(path)
    console = Terminal()
    broken = sum(link.state == "broken" for chain in chains.values() for link in chain) + sum(map(bool, cut.values()))
    if as_json:
        for gateway, links in chains.items():
            for link in links:
                sys.stdout.buffer.write(plain_json(as_object(gateway, link)))
        sys.stdout.flush()
        return BROKEN if broken else WHOLE
    if not chains:
        console.print("The history holds no audit.")
    for gateway, links in chains.items():
        console.print(Text(f"Gateway {visible(gateway)}", "bold"), table(links), verdict(links, cut[gateway]))
        if lost[gateway]:
            console.print(Text.assemble(("▲ ", "bold yellow"), missing(lost[gateway])))
    return BROKEN if broken else WHOLE


def read(path: Path, *, sharing: bool = False) -> tuple[dict[str, list[Link]], dict[str, int]]:
    """Return the chain of each gateway of a history, and how many numbers are missing after its last record.

    A history that shares has a part of the measurements only, and cannot tell what is missing from what others have.
    """
    reader = HistoryReader(path)

    def unexplained(gateway: str, epoch: str, after: int, upto: int = NO_END) -> int:
        return 0 if sharing else reader.unexplained(gateway, epoch, after, upto)

    try:
        gaps = reader.gaps()
        twice = [
            (gateway, GivenTwice(epoch, seq, body_of(later))) for gateway, epoch, seq, later in reader.given_twice()
        ]
        records = reader.records("audit")
        chains = {
            gateway: check(
                list(mine),
                Books(
                    [KnownGap(*gap[1:]) for gap in gaps if gap[0] == gateway],
                    partial(unexplained, gateway),
                    [number for of, number in twice if of == gateway],
                ),
            )
            for gateway, mine in groupby(records, key=lambda record: record.gateway)
        }
        last = {gateway: links[-1].record for gateway, links in chains.items()}
        return chains, {name: unexplained(name, record.epoch, record.seq) for name, record in last.items()}
    finally:
        reader.close()


def lost_numbers(path: Path) -> Counter[str]:
    """Return of each gateway how many numbers had left its outbox and are not in the history."""
    reader = HistoryReader(path)
    lost: Counter[str] = Counter()
    for gateway, _, first, last, reason in reader.gaps():
        if reason in (NEVER_CAME, REMOVED):
            lost[gateway] += last - first + 1
    reader.close()
    return lost


def missing(lost: int) -> str:
    """Return a sentence about numbers that a chain says nothing of."""
    return f"{lost} numbers of this gateway had left its outbox and are not in this history: another had them."


def table(links: list[Link]) -> Table:
    """Return the records of a chain, and between them what is wrong with it."""
    shown = Table("n", "time (UTC)", "what", "", box=None, pad_edge=False, header_style="dim")
    for link in links:
        if link.text:
            mark, style = ("▲", "bold red") if link.state == "broken" else ("·", "yellow")
            shown.add_row(Text(mark, style), "", "", Text(visible(link.text), style))
        at = datetime.fromtimestamp(link.record.time_us / MICRO, UTC)
        shown.add_row(
            str(link.n),
            f"{at:%Y-%m-%d %H:%M:%S}",
            visible(link.record.what),
            Text(visible(details(link)), overflow="fold"),
        )
    return shown


def _when(time_us: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_us / MICRO, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):  # a year that no calendar has
        return f"{time_us} us"


def details(link: Link) -> str:
    """Return what a record says, in one line."""
    words = ((key, value) for key, value in link.fields.items() if key not in PLUMBING and value not in ("", []))
    return ", ".join(f"{key} {' '.join(map(str, v)) if isinstance(v, list) else v}" for key, v in words)


def verdict(links: list[Link], cut: int) -> Text:
    """Return the last line."""
    found = (
        [f"broken in {n} {'place' if n == 1 else 'places'}"] if (n := sum(x.state == "broken" for x in links)) else []
    )
    if cut:
        found.append(f"after the last record {cut} numbers are missing that were here: the end may have been cut off")
    if found:
        return Text.assemble(("▲ ", "bold red"), f"The chain is not whole: {'; '.join(found)}.")
    gaps = sum(link.state == "gap" for link in links)
    but = f", with {gaps} told {'gap' if gaps == 1 else 'gaps'}" if gaps else ""
    return Text.assemble(("● ", "bold green"), f"The chain is whole: {len(links)} records{but}.")


def as_object(gateway: str, link: Link) -> dict[str, object]:
    """Return a record for other programs."""
    identity = {"gateway": gateway, "epoch": link.record.epoch, "seq": link.record.seq}
    return {**identity, **link.fields, "chain": link.state, "chain_text": link.text}
