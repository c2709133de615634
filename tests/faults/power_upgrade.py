"""The power of a virtual machine is cut while one version takes the place of another, and its outbox fills."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.faults.outcome import Outcome, Progress
from tests.faults.power import Machine, make_disk
from tests.faults.power_upgrade_guest import FIRST
from tests.virtual_machine import find_kernel, need_programs

GUEST = "power_upgrade_guest"
DISK_MB = 2048
"""Sparse: an upgrade asks for half a gigabyte to spare."""
LONGEST_S = 25.0
"""Of an upgrade on the emulated processor, and the beginning of another."""


def upgrade_power_cuts(folder: Path, *, cuts: int, seed: int, progress: Progress) -> Outcome:
    """Cut the power so many times; see after each which version is there, and what the outbox holds."""
    outcome = Outcome("power cut during an upgrade")
    need_programs()
    folder.mkdir(parents=True)
    kernel = find_kernel(folder)
    make_disk(folder, DISK_MB)
    rng = random.Random(seed)
    durable, kept, under_way, versions = 0, FIRST, "", 0
    for run in range(1, cuts + 2):
        last = run > cuts
        machine = Machine(folder, kernel, run, "look" if last else "fill", GUEST)
        try:
            opened = machine.opened()
            outcome.lost += max(0, durable - opened.rows)
            outcome.silent = outcome.lost
            outcome.made, outcome.stored = durable, opened.rows
            if opened.wrong or opened.set_aside:
                outcome.notes.append(f"{opened.wrong} wrong rows, {opened.set_aside} files set aside")
            _, current, whole = machine.wait_for("VERSION")
            if current not in {kept, under_way} or whole != "1":
                outcome.notes.append(f"cut {run - 1}: {current} runs (whole: {whole}), after {kept} and {under_way}")
            if last:
                break
            machine.wait_for("BEGAN")
            time.sleep(rng.uniform(0, LONGEST_S))
        finally:
            machine.cut()
        durable, kept, under_way, more = heard(machine, current, durable)
        versions += more
        outcome.times += 1
        progress(outcome.times / (cuts + 1))
    outcome.remark = f"{versions} versions were kept between the cuts"
    return outcome


def heard(machine: Machine, current: str, durable: int) -> tuple[int, str, str, int]:
    """Return what was said until the cut: last durable number, version kept last, the one under way, how many kept."""
    versions = 0
    kept, under_way = current, f"0.{machine.run + 1}.0"  # of which BEGAN was heard already
    while not machine.words.empty():
        words = machine.words.get()
        if words[0] == "DURABLE" and len(words) == 3:
            durable = max(durable, int(words[2]))
        elif words[0] == "KEPT":
            kept = words[1]
            versions += 1
        elif words[0] == "BEGAN" and len(words) == 3:
            under_way = words[2]
    return durable, kept, under_way, versions
