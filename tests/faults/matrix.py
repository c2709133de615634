"""The rows of the matrix, and how often each is repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import (
    clocks,
    devices,
    files,
    folders,
    hands,
    kills,
    limits,
    links,
    malice,
    passports,
    power,
    power_upgrade,
    shared,
    squatters,
    stores,
    storms,
    upgrades,
    ward_files,
    wards,
)
from tests.faults.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """A fault: what runs it, and its options in the quick and in the full matrix."""

    name: str
    fault: Callable[..., Outcome]
    quick: dict[str, Any] = field(default_factory=dict)
    full: dict[str, Any] = field(default_factory=dict)

    def run(self, folder: Path, *, quick: bool, seed: int, progress: object) -> Outcome:
        """Run it in a folder of its own."""
        return self.fault(folder, seed=seed, progress=progress, **(self.quick if quick else self.full))


ROWS = (
    Row("kills", kills.random_kills, {"kills": 40}, {"kills": 500}),
    Row("broker-queue", kills.broker_loses_queue, {"kills": 2}, {"kills": 20}),
    Row("store-kills", stores.store_kills, {"kills": 4, "hold_back_s": 8.0}, {"kills": 20, "hold_back_s": 60.0}),
    Row(
        "shared-historians",
        shared.shared_historians,
        {"historians": 2, "kills": 12, "hold_back_s": 5.0},
        {"historians": 3, "kills": 200, "hold_back_s": 60.0},
    ),
    Row(
        "shared-postgresql",
        shared.shared_historians,
        {"gateways": 2, "historians": 2, "kills": 12, "hold_back_s": 5.0, "store": "postgresql"},
        {"gateways": 2, "historians": 3, "kills": 100, "hold_back_s": 60.0, "store": "postgresql"},
    ),
    *(
        Row(
            f"fleet-{store}",
            shared.shared_historians,
            {"gateways": 5, "rate": 500.0, "historians": 2, "kills": 4, "hold_back_s": 5.0, "store": store},
            {"gateways": 20, "rate": 2000.0, "historians": 2, "kills": 20, "hold_back_s": 60.0, "store": store},
        )
        for store in ("victoriametrics", "postgresql")
    ),
    Row("poison-unreadable", stores.poison, {"how": "unreadable"}, {"how": "unreadable"}),
    Row("poison-skipped", stores.poison, {"how": "future"}, {"how": "future"}),
    Row("links", links.bad_links, {"times": 5}, {"times": 20}),
    # A ward of twenty makes about 80 measurements a second. Quick is all of it at 1:72, the cap included.
    Row(
        "offline",
        links.offline,
        {"hours": 1.0, "rate": 80.0, "speed": 100.0, "outbox_mb": 7},
        {"hours": 72.0, "rate": 80.0, "speed": 600.0, "outbox_mb": 512},
    ),
    Row("corrupt-outbox", files.corrupt, {"what": "outbox", "times": 6}, {"what": "outbox", "times": 40}),
    Row("corrupt-history", files.corrupt, {"what": "history", "times": 4}, {"what": "history", "times": 40}),
    Row("second-process", hands.second_process, {"times": 4}, {"times": 12}),
    Row("restored-outbox", hands.restored_outbox, {"times": 2}, {"times": 12}),
    Row("rolled-back-history", hands.rolled_back_history, {"times": 2}, {"times": 12}),
    Row("deleted-files", hands.deleted_files, {"times": 4}, {"times": 16}),
    Row("overwritten-files", hands.overwritten_files, {"times": 2}, {"times": 12}),
    Row("moved-folder", folders.moved_folders, {"times": 3}, {"times": 12}),
    Row("ward-file", ward_files.ward_files, {"times": 5}, {"times": 20}),
    Row("conflicts", hands.conflicts, {"times": 1}, {"times": 5}),
    Row("forged-receipts", malice.forged_receipts, {"times": 4}, {"times": 20}),
    Row("message-bombs", malice.message_bombs, {"times": 2}, {"times": 8}),
    Row(
        "squatted-port",
        squatters.squatted_ports,
        {"kinds": ["iotcore"], "times": 1},
        {"kinds": ["iotcore", "mosquitto"], "times": 4},
    ),
    Row(
        "store-address",
        stores.store_address,
        {"times": 2, "hold_back_s": 2.0},
        {"times": 5, "hold_back_s": 5.0},
    ),
    Row("historian-clock", clocks.historian, {"times": 3, "hold_s": 0.5}, {"times": 6, "hold_s": 10.0}),
    Row("disk-full", files.full_disk, {"times": 2}, {"times": 10}),
    Row("disk-slow", limits.slow_flushes, {"times": 2}, {"times": 10}),
    Row(
        "memory",
        limits.little_memory,
        {"times": 1, "megabytes": 96, "rate": 6000.0},
        {"times": 5, "megabytes": 96, "rate": 6000.0},
    ),
    Row("certificates", passports.expired, {"times": 1}, {"times": 5}),
    Row("clock", clocks.delivery, {"times": 4}, {"times": 40}),
    Row("clock-beds", clocks.beds, {"times": 4}, {"times": 20}),
    Row("devices", devices.bad_devices, {"rounds": 1, "beds": 2}, {"rounds": 5, "beds": 3}),
    Row("device-storm", storms.device_storm, {"seconds": 90.0}, {"seconds": 600.0}),
    Row(
        "ward-changes",
        wards.ward_changes,
        {"beds": 4, "changes": 30, "a_minute": 75.0, "kills": 2},
        {"beds": 20, "changes": 500, "a_minute": 50.0, "kills": 4},
    ),
    Row("power", power.power_cuts, {"cuts": 1}, {"cuts": 5}),
    Row("upgrade", upgrades.upgrades, {"times": 3}, {"times": 20}),
    Row("upgrade-power", power_upgrade.upgrade_power_cuts, {"cuts": 1}, {"cuts": 20}),
    Row("read-only", files.read_only, {"times": 2}, {"times": 10}),
)
