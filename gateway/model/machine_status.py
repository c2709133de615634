"""What a gateway says of its computer, its disk and its backups."""

from __future__ import annotations

from typing import TypedDict


class BackupStatus(TypedDict, total=False):
    """How old the newest backup is, in hours, and how old it may be; ``age_h`` None where there is none."""

    age_h: float | None
    most_h: float
    error: str


class MachineStatus(TypedDict, total=False):
    """How the computer does (`gateway.machine.hardware.Hardware`): °C, percent, bytes; None is not told."""

    temperature_c: float | None
    undervoltage: bool | None
    life_used_pct: float | None
    reserve: str
    written_bytes: int | None


class DiskStatus(TypedDict, total=False):
    """The disk of the data folder; empty where it does not answer."""

    free_bytes: int
    total_bytes: int
    keep_free: int
