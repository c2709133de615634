"""``rehab-gateway audit``: what happened to the gateways, from the history, and whether the record of it is whole."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from config.settings import Settings
from gateway.audit.chain import Link
from gateway.audit.trail import details, judge, lost_numbers, missing_words, read, verdict_words
from gateway.cli.terminal import Terminal
from gateway.machine.plain_text import plain_json, visible
from gateway.model.usage import UsageError

WHOLE, BROKEN = 0, 1
MICRO = 1_000_000


def audit(settings: Settings, *, as_json: bool) -> int:
    """Print the audit; return the exit status: 0 if every chain is whole. Raises UsageError without a history."""
    path = settings.history_file
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
            console.print(Text.assemble(("▲ ", "bold yellow"), missing_words(lost[gateway])))
    return BROKEN if broken else WHOLE


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
            Text(visible(details(link.fields)), overflow="fold"),
        )
    return shown


def verdict(links: list[Link], cut: int) -> Text:
    """Return the last line."""
    found = judge(links, cut)
    return Text.assemble(("● ", "bold green") if found.whole else ("▲ ", "bold red"), verdict_words(found))


def as_object(gateway: str, link: Link) -> dict[str, object]:
    """Return a record for other programs."""
    identity = {"gateway": gateway, "epoch": link.record.epoch, "seq": link.record.seq}
    return {**identity, **link.fields, "chain": link.state, "chain_text": link.text}
