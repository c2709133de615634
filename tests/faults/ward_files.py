"""The file of the ward removed, or an older one put in its place, under the gateway and between its runs."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path
from typing import Final

from gateway.ward.registry import RegistryError, read_state
from gateway.ward.remembered import RECALLED, VACATED
from tests.faults.beds import START_S
from tests.faults.chain import wait_for
from tests.faults.hands import REPORTED_WITHIN_S, image_of, remove, without_damage
from tests.faults.outcome import Outcome, Progress, words
from tests.faults.people import Asked
from tests.faults.wards import Ward, entries, judge_numbers, judge_people
from tests.servers import mosquitto_in

REMOVED, REPLACED = "ward.db removed", "an older ward.db put in its place"
BOTH: Final = "ward.db and outbox.db removed between runs"
WAYS: Final = (
    f"{REMOVED} under the gateway", f"{REPLACED} under the gateway", f"{REMOVED} between runs",
    f"{REPLACED} between runs", BOTH,
)  # fmt: skip
BEDS, CHANGES, APART_S = 3, 4, 0.5


def ward_files(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Take the file of the ward away: everybody stays in the bed where they are, or nobody is in any; and that is told.

    ``lost`` counts numbers of the outbox, as in the row of the changes; who is measured under somebody else is told.
    """
    outcome = Outcome("file of the ward removed or replaced")
    folder.mkdir()
    with mosquitto_in(folder / "broker") as broker:
        ward = Ward(folder, broker, beds=BEDS, rng=random.Random(seed))
        with ward.air:
            try:
                ward.historian.start()
                ward.live(0, APART_S)
                while outcome.times < times:
                    one_round(ward, WAYS[outcome.times % len(WAYS)], folder / "older", outcome)
                    outcome.times += 1
                    progress(outcome.times / times)
                ward.gateway.end()
                add_numbers(ward, outcome)
            finally:
                ward.stop()
        outcome.remark = "each told"
        judge_people(ward, outcome)
    for process in (ward.gateway, ward.historian):
        outcome.notes += without_damage(process.unclean()[:3])  # the notice says "damaged" of what was removed, too
    return outcome


def one_round(ward: Ward, way: str, older: Path, outcome: Outcome) -> None:
    """Harm the file in one way; see that it is told, and that everybody is where people know them to be."""
    image_of(ward.registry, older)
    ward.change_at_random(CHANGES, APART_S)
    began_us = time.time_ns() // 1000
    if way.endswith("under the gateway"):
        harm(ward, way, older)
        told = wait_for(lambda: words(ward.history, among=["ward-removed"], since_us=began_us), REPORTED_WITHIN_S)
    else:
        ward.gateway.end(signal.SIGKILL if way != BOTH else signal.SIGTERM)
        if way == BOTH:
            leave_all(ward, began_us, outcome)
        harm(ward, way, older)
        ward.desk.ward = {}
        ward.gateway.start()
        assert wait_for(lambda: ward.desk.ward, START_S), ward.gateway.text()[-2000:]
        wanted = VACATED if way == BOTH else RECALLED
        told = any(entry.name == wanted and entry.at_us >= began_us for entry in entries(ward.registry))
    if not told:
        outcome.notes.append(f"nobody said what was done: {way}")
    if not wait_for(lambda: is_right(ward), REPORTED_WITHIN_S):
        outcome.notes.append(f"not everybody is where they were: {way}")
    for name, fields in again(ward) if way == BOTH else []:
        ward.change(name, fields)


def harm(ward: Ward, way: str, older: Path) -> None:
    """Do it."""
    if way.startswith(REPLACED):
        fresh = ward.registry.with_name("fresh")
        shutil.copyfile(older, fresh)
        fresh.replace(ward.registry)
        return
    ward.registry.unlink()
    if way == BOTH:
        remove(ward.outbox)


def leave_all(ward: Ward, began_us: int, outcome: Outcome) -> None:
    """Count what the outbox gave before it goes, and know that nobody is in a bed any more by the file alone."""
    add_numbers(ward, outcome)
    now_us = time.time_ns() // 1000
    for subject in filter(None, list(ward.people.beds.values())):
        ward.people.apply(Asked("discharge", {"subject": subject}, began_us, now_us))


def again(ward: Ward) -> list[tuple[str, dict[str, str]]]:
    """Return what people say of a ward that was lost: who is there, and wears what."""
    said: list[tuple[str, dict[str, str]]] = []
    for n, bed in enumerate(ward.people.beds, ward.people.came + 1):
        said.append(("admit", {"subject": f"p-{n}", "bed": bed}))
        said.append(("assign", {"device": bed.replace("bed", "strap"), "bed": bed, "placement": "chest"}))
    return said


def is_right(ward: Ward) -> bool:
    """Whether the file says of everybody, and of every device, what people know."""
    try:
        state = read_state(ward.registry)
    except (FileNotFoundError, RegistryError):
        return False
    beds = {bed.id: there.id if (there := state.subject_in(bed.id)) else "" for bed in state.beds}
    worn = {one.device.id: one.bed or "" for one in state.devices}
    return (beds, worn) == (ward.people.beds, ward.people.bed_of)


def add_numbers(ward: Ward, outcome: Outcome) -> None:
    """Add what the present outbox gave, and what the history has of it."""
    found = Outcome(outcome.fault)
    judge_numbers(ward, found)
    outcome.made, outcome.stored = outcome.made + found.made, outcome.stored + found.stored
    outcome.lost, outcome.silent = outcome.lost + found.lost, outcome.silent + found.silent
    outcome.notes += found.notes
