"""``rehab-gateway fleet roll-out``, ``resume`` and ``abort``: written into the books, carried out by the desk."""

from __future__ import annotations

import re
import shutil
import time
import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import typer

from config.plain_file import look
from config.settings import Settings
from gateway.cli.ending import FAILURE, print_line
from gateway.cli.fleet_desk import opened, words_of
from gateway.cli.versions import WHY_LEAST
from gateway.fleet.applying import ALLOWED, foreign_to
from gateway.fleet.members import FleetFolder
from gateway.fleet.overview import overview
from gateway.fleet.plan import LONGEST_REASON, Bundle, describe, rings_of
from gateway.fleet.register import RollOut
from gateway.fleet.roll_outs import BusyError, RollOuts
from gateway.installation.errors import RefusedError
from gateway.installation.one_file import SUFFIX, pack
from gateway.machine.file_sum import sum_of_file
from gateway.machine.ownership import acting_as_who_typed
from gateway.model.usage import UsageError

LOOK_S = 1.0
OF_PACKAGE = re.compile(r"rehab-gateway_([^_]+?)(?:\+deb[0-9]+)?_[a-z0-9]+\.bundle")
"""How a package is called that was put into one file: with its version."""
Reading = Callable[[], AbstractContextManager[None]]
"""As whom a file is read."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be rolled out, and how.

    Attributes:
        bundle: The file.
        rings: Their names in order, with commas between.
        version: What a gateway runs when it has the upgrade.
        older: Why it may be older than what gateways run.
        soak_s: How long a ring is well before the next.
        within_s: How long a ring may take.
    """

    bundle: str
    rings: str
    version: str
    older: str
    soak_s: float
    within_s: float


def roll_out(settings: Settings, wish: Wish, *, wait: bool) -> int:
    """Begin a roll-out, and follow it; return the exit status."""
    path = Path(wish.bundle)
    with opened(settings) as fleet:
        ring_of = {member.gateway: member.ring for member in fleet.register.present()}
        if not ring_of:
            raise UsageError("nobody is in the fleet yet: 'rehab-gateway fleet invite' a gateway first")
        try:
            described, kept = _taken(fleet, path, wish)
            chosen = rings_of([name.strip() for name in wish.rings.split(",") if name.strip()], ring_of)
            number = RollOuts(fleet.register).begin(
                kept, described, chosen, soak_s=wish.soak_s, within_s=wish.within_s, now_s=time.time()
            )
        except OSError as error:
            raise UsageError(f"{error.filename or path}: {error.strerror or error}") from None
        except (ValueError, BusyError, RefusedError) as error:
            raise UsageError(str(error)) from None
        typer.echo(
            f"roll-out {number} of {described.version}, {described.size} bytes, to "
            + ", ".join(f"{ring.name} ({len(ring.gateways)})" for ring in chosen)
        )
        return _follow(fleet) if wait else 0


def resume(settings: Settings) -> None:
    """Have it go on; raises UsageError."""
    found = _changed(settings, RollOuts.resume)
    typer.echo(f"roll-out {found.id} of {found.bundle.version} goes on: 'rehab-gateway fleet list' says how far it is")


def abort(settings: Settings) -> None:
    """Have nobody else take it; raises UsageError."""
    found = _changed(settings, RollOuts.abort)
    typer.echo(f"roll-out {found.id} of {found.bundle.version} is aborted: who has it keeps it, nobody else takes it")


def _changed(settings: Settings, change: Callable[[RollOuts], RollOut]) -> RollOut:
    with opened(settings) as fleet:
        try:
            return change(RollOuts(fleet.register))
        except BusyError as error:
            raise UsageError(str(error)) from None


def _taken(fleet: FleetFolder, typed: Path, wish: Wish) -> tuple[Bundle, Path]:
    """Return what a plan says of a file, and the desk's own copy of it.

    What was named is read by whoever named it: it may lie where the desk's user does not come. What lies in the desk's
    folder is read as that user, who could put a link in its place.
    """
    path = _in_one_file(fleet, typed)
    reading: Reading = acting_as_who_typed if path == typed else nullcontext
    with reading():
        described = _described(path, wish)
    return described, _kept(fleet, path, described, reading)


def _in_one_file(fleet: FleetFolder, path: Path) -> Path:
    """Return a package with its list of sums and who signed it, as one file; anything else as it is."""
    if path.suffix != ".deb":
        return path
    folder = fleet.folder / "bundles"
    folder.mkdir(exist_ok=True, mode=0o750)
    return pack(path, folder / path.with_suffix(SUFFIX).name)


def _described(path: Path, wish: Wish) -> Bundle:
    if path.suffix != ".toml":
        if not wish.version:
            raise ValueError(
                "--version says what a gateway runs when it has the upgrade: nothing else proves that it has"
            )
        said = OF_PACKAGE.match(path.name)
        if said is not None and said[1] != wish.version:
            raise ValueError(f"--version says {wish.version}, and {path.name} is {said[1]}: gateways would say that")
        if wish.older and not WHY_LEAST <= len(wish.older) <= LONGEST_REASON:
            raise ValueError("--older takes a sentence: why are gateways to go back to an older version?")
        return describe(path, "upgrade", wish.version, wish.older)
    look(path)
    try:
        foreign = sorted(foreign_to(tomllib.loads(path.read_text("utf-8"))))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a part of a configuration: {error}") from None
    if foreign:
        raise ValueError(
            f"{path} has {foreign[0]}, which is each machine's own; {', '.join(sorted(ALLOWED))} may be sent"
        )
    return describe(path, "configuration", wish.version or path.stem)


def _kept(fleet: FleetFolder, path: Path, bundle: Bundle, reading: Reading) -> Path:
    """Return the desk's own copy: what is changed after this is not what is handed out."""
    folder = fleet.folder / "bundles"
    folder.mkdir(exist_ok=True, mode=0o750)
    kept = folder / f"{bundle.sha256[:16]}-{bundle.file}"
    if not kept.exists():
        part = folder / f".{kept.name}.part"
        try:
            with reading():
                file = path.open("rb")
            with file, part.open("wb") as copy:
                shutil.copyfileobj(file, copy)
            part.replace(kept)  # one that was cut off in the middle is never taken for a copy
        finally:
            part.unlink(missing_ok=True)
    if sum_of_file(kept) != bundle.sha256:
        kept.unlink()
        raise ValueError(f"{path} was changed while it was read: try again")
    return kept


def _follow(fleet: FleetFolder) -> int:
    """Print each new word on it until it ends; Ctrl-C leaves it to the desk."""
    said = ""
    while True:
        newest = RollOuts(fleet.register).newest()
        assert newest is not None
        told = overview(fleet.register, newest, time.time())["roll_out"]
        words = words_of(told)
        if words != said:
            said = words
            (typer.echo if newest.state in ("open", "done") else print_line)(words)
        if newest.state != "open":
            return 0 if newest.state == "done" else FAILURE
        time.sleep(LOOK_S)
