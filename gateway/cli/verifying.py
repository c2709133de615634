"""``rehab-gateway audit verify``: are both records whole, of what was done and of who looked at what?"""

from __future__ import annotations

from rich.text import Text

from config.settings import Settings
from gateway.audit import access_log
from gateway.audit.trail import read
from gateway.cli.audit import BROKEN, WHOLE, verdict
from gateway.cli.terminal import Terminal
from gateway.machine.plain_text import printable, visible
from gateway.model.usage import UsageError

MOST_SHOWN = 5  # troubles of the log; one is enough to know that it is not whole


def verify(settings: Settings) -> int:
    """Print a line for each record that is on this computer; return 0 if all of them are whole. Raises UsageError."""
    history = settings.history_file
    looks = settings.site.data / access_log.NAME
    if not history.is_file() and not looks.is_file():
        raise UsageError(f"neither {history} nor {looks} is there: run this where the historian or the dashboard runs")
    broken = False
    console = Terminal()
    if history.is_file():
        chains, cut = read(history, sharing=settings.historian.share is not None)
        for gateway, links in chains.items():
            broken |= bool(cut[gateway]) or any(link.state == "broken" for link in links)
            console.print(Text.assemble(f"Gateway {visible(gateway)}: ", verdict(links, cut[gateway])))
        if not chains:
            console.print("The history holds no audit.")
    if looks.is_file():
        entries = troubles = 0
        for entry in access_log.read(looks):
            entries += 1
            if entry.trouble:
                troubles += 1
                if troubles <= MOST_SHOWN:
                    console.print(Text.assemble(("▲ ", "bold red"), f"Access log: {printable(entry.trouble)}."))
        if not troubles:
            console.print(Text.assemble("Access log: ", ("● ", "bold green"), f"it is whole: {entries} entries."))
        broken |= bool(troubles)
    return BROKEN if broken else WHOLE
