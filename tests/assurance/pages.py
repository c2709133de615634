"""The other pages of docs/assurance: how each line of their tables stands, and the counts on the first page.

A table whose last column is ``state`` says of each line how it stands. What is claimed to be ``done`` names its
evidence in the same line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.assurance import hazards
from tests.assurance.evidence import ROOT

FOLDER = ROOT / "docs/assurance"
STATES = ("done", "partly", "not done", "deployer's", "does not apply")
PAGES = {
    "safety-case.md": "safety management (DCB0129)",
    "threat-model.md": "threat model",
    "dtac.md": "DTAC answers",
    "en-303-645.md": "EN 303 645",
    "iec-81001-5-1.md": "IEC 81001-5-1",
}
"""The pages with such tables, and what the first page calls them."""

_BETWEEN = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table with a state."""

    cells: tuple[str, ...]

    @property
    def state(self) -> str:
        """How it stands: the last cell."""
        return self.cells[-1]


def lines(path: Path) -> list[Line]:
    """Return the lines of all tables of a page whose last column is ``state``."""
    found, inside = [], False
    for text in path.read_text("utf-8").splitlines():
        cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", text)[1:-1])
        if not cells:
            inside = False
        elif cells[-1] == "state":
            inside = True
        elif inside and set(cells[-1]) != {"-"}:
            found.append(Line(cells))
    return found


def counts() -> str:
    """Return the table of the first page: how much of each page stands how."""
    rows = []
    for name, title in PAGES.items():
        states = Counter(line.state for line in lines(FOLDER / name))
        rows.append((f"[{title}]({name})", *(str(states[state]) for state in STATES)))
    log = hazards.load()
    kinds = [one for hazard in log for one in hazard.mitigation]
    proved, deployers = sum(bool(one.proved_by) for one in kinds), sum(one.deployer is not None for one in kinds)
    rows.append(("[mitigations](hazards.md)", str(proved), "0", str(hazards.not_done(log)), str(deployers), "0"))
    return hazards.table(("page", *STATES), rows)


def ratings() -> str:
    """Return how many hazards have which rating, before and after."""
    log = hazards.load()
    before, after = Counter(one.before.rating for one in log), Counter(one.after.rating for one in log)
    rows = [(str(rating), str(before[rating]), str(after[rating])) for rating in range(5, 0, -1)]
    return hazards.table(("rating", "hazards before", "hazards after"), rows)


MADE: dict[str, Callable[[], str]] = {
    "counts": counts,
    "ratings": ratings,
    "summary": lambda: hazards.summary(hazards.load(), "hazards.md"),
}
"""What stands between two marks on pages that are otherwise written by hand."""


def with_made_parts(text: str) -> str:
    """Return a page with what is made between its marks made anew."""
    return _BETWEEN.sub(lambda found: f"{found[1]}{MADE[found[2]]()}\n{found[3]}", text)
