"""Both records as they are read back: each gateway's chain out of a history, what an entry says, and what is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from gateway.audit.chain import Books, GivenTwice, KnownGap, Link, check
from gateway.history.books.conflicts import body_of
from gateway.history.file import NEVER_CAME, REMOVED
from gateway.history.reader import HistoryReader
from gateway.model.records import PURGED
from gateway.outbox.eviction import NO_END
from gateway.texts.languages import text

PLUMBING = ("kind", "what", "time_us", "n", "previous", PURGED)
"""Fields of the audit that have a column of their own, or tie the chain."""
OF_LOOKS = ("what", "time_us", "n", "previous", "people", "user", "role", "address")
"""The same of the log of who looked at what."""
MOST_TROUBLES = 5  # one is enough to know that a chain is not whole


class Verdict(NamedTuple):
    """What the check of one gateway's chain has found.

    Attributes:
        records: How many there are.
        gaps: Places where records are known not to have come.
        broken: Places where the chain does not hold.
        cut: Numbers that are missing after the last record.
        lost: Numbers of this gateway that left its outbox for another history.
        troubles: What is wrong, of the first places.
    """

    records: int
    gaps: int
    broken: int
    cut: int
    lost: int = 0
    troubles: Sequence[str] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is missing that was not told."""
        return not self.broken and not self.cut


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


def judge(links: Sequence[Link], cut: int, lost: int = 0) -> Verdict:
    """Return what the check of a chain has found."""
    wrong = [link.text for link in links if link.state == "broken"]
    gaps = sum(link.state == "gap" for link in links)
    return Verdict(len(links), gaps, len(wrong), cut, lost, wrong[:MOST_TROUBLES])


def verdict_words(found: Verdict) -> str:
    """Return the sentence of a chain, in the language that is spoken."""
    why = [text("records.broken_in", n=found.broken)] if found.broken else []
    if found.cut:
        why.append(text("records.cut_off", n=found.cut))
    if why:
        return text("records.not_whole", why="; ".join(why))
    gaps = text("records.told_gaps", n=found.gaps) if found.gaps else ""
    return text("records.whole", records=text("records.of_chain", n=found.records), gaps=gaps)


def missing_words(lost: int) -> str:
    """Return a sentence about numbers that a chain says nothing of."""
    return text("records.lost", n=lost)


def looks_words(troubles: Sequence[str]) -> str:
    """Return the sentence of the log of who looked at what: of the first troubles, or that there are none."""
    if not troubles:
        return text("records.log_whole")
    return text("records.log_not_whole", why="; ".join(troubles[:MOST_TROUBLES]))


def details(fields: Mapping[str, Any], without: Collection[str] = PLUMBING) -> str:
    """Return what an entry says beside what has a column, in one line."""
    words = ((key, value) for key, value in fields.items() if key not in without and value not in ("", []))
    return ", ".join(f"{key} {' '.join(map(str, v)) if isinstance(v, list) else v}" for key, v in words)
