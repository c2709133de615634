"""What deserves a notice of the computer itself: heat, power, wear. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gateway.model.status import Status
from gateway.status.notices import Finding, Rule, finding

HOT_RAISED_C, HOT_CLEARED_C = 80.0, 75.0
"""From 80 °C on a Raspberry Pi makes its processor slower (its documentation, 'Frequency management')."""
LIFE_RAISED_PCT = 90.0
"""Of an eMMC's life, by its own estimate: time to order another, and not the day on which it fails."""

COMPUTER_HOT = Rule(
    "computer-hot", "medium", 60.0, 60.0, f"the processor has been above {HOT_RAISED_C:g} °C for a minute",
)  # fmt: skip
POWER_WEAK = Rule(
    "power-weak", "medium", 5.0, 60.0, "the power supply gives too little voltage",
)  # fmt: skip
DISK_WORN = Rule(
    "disk-worn", "medium", 5.0, 60.0, f"the disk has used {LIFE_RAISED_PCT:g} % of its life, or most of its spare room",
)  # fmt: skip
MACHINE_RULES = (COMPUTER_HOT, POWER_WEAK, DISK_WORN)


def machine_findings(status: Status, raised: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong with the computer; ``raised`` are the ids of the notices that stand."""
    machine = status.get("machine") or {}
    temperature_c, life_pct = machine.get("temperature_c"), machine.get("life_used_pct")
    if temperature_c is not None:
        limit_c = HOT_CLEARED_C if COMPUTER_HOT.code in raised else HOT_RAISED_C
        if temperature_c > limit_c:
            yield finding(COMPUTER_HOT, degrees=f"{temperature_c:.0f}")
    if machine.get("undervoltage"):
        yield finding(POWER_WEAK)
    if machine.get("reserve") in {"warning", "urgent"} or (life_pct is not None and life_pct >= LIFE_RAISED_PCT):
        used = {} if life_pct is None else {"percent": f"{life_pct:.0f}"}
        yield finding(DISK_WORN, variant="" if used else "reserve", **used)
