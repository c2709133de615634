"""How this computer does: heat, power, and how much its disk has been written. Read from the kernel; never written."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYS = Path("/sys")
SECTOR_BYTES = 512
"""A sector in the kernel's counts, whatever the disk's own is (Documentation/block/stat)."""
WRITTEN_FIELD = 6
"""Sectors written, in ``/sys/block/<disk>/stat`` (Documentation/block/stat)."""
LIFE_STEP_PCT = 10.0
"""One step of an eMMC's own estimate of its life: 0x01 is 0 to 10 % used, 0x0B is beyond it (JEDEC JESD84-B51, 7.4)."""
LIFE_STEPS = range(1, 12)
RESERVE_WORDS = {1: "normal", 2: "warning", 3: "urgent"}
"""What an eMMC says of its spare blocks: ``warning`` when 80 % of them are used (JEDEC JESD84-B51, 7.4)."""
PROCESSOR_ZONES = ("cpu", "soc", "x86_pkg")
RASPBERRY_SUPPLY = "rpi_volt"
"""The kernel's name for the supply of a Raspberry Pi (Documentation/hwmon/raspberrypi-hwmon)."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the kernel tells of the computer; None where it tells nothing, as in a container or a virtual machine.

    Attributes:
        temperature_c: The hottest zone of the processor, in °C.
        undervoltage: Whether the supply is too weak at present; known on a Raspberry Pi.
        life_used_pct: How much of its life the disk has used, by itself, in steps of 10; eMMC only.
        reserve: What the disk says of its spare blocks: ``normal``, ``warning``, ``urgent``; eMMC only.
        written_bytes: Written to the disk of the data folder since the computer was started.
    """

    temperature_c: float | None = None
    undervoltage: bool | None = None
    life_used_pct: float | None = None
    reserve: str = ""
    written_bytes: int | None = None


def read_hardware(folder: Path, root: Path = SYS) -> Hardware:
    """Read how this computer does, with the disk that a folder is on; what cannot be read is None."""
    disk = _disk_of(folder, root)
    life, reserve = _wear(disk) if disk else (None, "")
    return Hardware(_temperature_c(root), _undervoltage(root), life, reserve, _written_bytes(disk) if disk else None)


def _temperature_c(root: Path) -> float | None:
    zones: dict[str, float] = {}
    for zone in sorted(root.glob("class/thermal/thermal_zone*")):
        with suppress(OSError, ValueError):  # a zone may be there and answer nothing
            zones[f"{_text(zone / 'type')} {zone.name}"] = int(_text(zone / "temp")) / 1e3
    of_processor = [value for name, value in zones.items() if name.startswith(PROCESSOR_ZONES)]
    return max(of_processor or zones.values(), default=None)


def _undervoltage(root: Path) -> bool | None:
    for sensor in root.glob("class/hwmon/hwmon*"):
        with suppress(OSError):
            if _text(sensor / "name") == RASPBERRY_SUPPLY:
                return _text(sensor / "in0_lcrit_alarm") == "1"
    return None


def _disk_of(folder: Path, root: Path) -> Path | None:
    """Return the kernel's folder of the whole disk that a folder is on; None for what is no disk."""
    try:
        device = folder.stat().st_dev
        found = (root / "dev/block" / f"{os.major(device)}:{os.minor(device)}").resolve(strict=True)
    except OSError:
        return None
    return found.parent if (found / "partition").exists() else found


def _wear(disk: Path) -> tuple[float | None, str]:
    steps: list[int] = []
    with suppress(OSError, ValueError):  # a disk without it; words that are no numbers
        steps = [step for step in (int(word, 16) for word in _text(disk / "device/life_time").split())
                 if step in LIFE_STEPS]  # fmt: skip
    reserve = ""
    with suppress(OSError, ValueError):
        reserve = RESERVE_WORDS.get(int(_text(disk / "device/pre_eol_info"), 16), "")
    return (max(steps) * LIFE_STEP_PCT if steps else None), reserve


def _written_bytes(disk: Path) -> int | None:
    try:
        return int(_text(disk / "stat").split()[WRITTEN_FIELD]) * SECTOR_BYTES
    except (OSError, ValueError, IndexError):
        return None


def _text(path: Path) -> str:
    return path.read_text("ascii", errors="replace").strip()
