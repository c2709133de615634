"""What is done with a bundle on a gateway: an upgrade goes to its command, a configuration is tried first."""

from __future__ import annotations

import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from config.errors import ConfigError
from config.loader import PARTS_FOLDER, load
from config.settings import Fleet
from gateway.fleet.health import MICRO, Health
from gateway.machine.durable import flush_folder, replace_file
from gateway.machine.ownership import give_to_owner_of_folder
from gateway.machine.plain_text import printable

UPGRADE_S = 3600.0
"""For the upgrade, its five minutes of proof and the way back: what takes an hour will not end."""
RESTART_S = 120.0
SETTLE_S = 5.0
"""So long a gateway has to be well without a break: the first status after a start may be too early for a notice."""
LOOK_S = 0.2
LONGEST_WHY = 300
PART = "50-fleet.toml"
PREVIOUS = "50-fleet.previous"
"""The part that was in force before, empty where there was none. It is there only while a new one is tried."""
ALLOWED = frozenset({"change", "dashboard", "historian", "notices", "outbox", "prometheus", "recorder"})
"""Tables that are the same on many machines. What is a machine's own (site, broker, radio, fleet, beds) stays."""
OWN = {
    "dashboard": frozenset({
        "host", "cert_file", "key_file", "broker_cert_file", "broker_key_file", "users_file", "public_url", "proxies",
        "openid",
    }),
    "historian": frozenset({"id", "share", "database", "cert_file", "key_file", "receipt_key_file", "store"}),
    "notices": frozenset({"webhook"}),
}  # fmt: skip
"""Of those tables, what says who a machine is, where its history lies, where numbers and notices go, and who is let in:
from afar, and with the desk's key alone, nobody makes themselves a user of a ward's dashboard, has its numbers sent to
themselves, or has it begin an empty history."""

Ending = tuple[bool, str]
"""Whether the bundle is in force, and why, or why not."""


class Applier:
    """Puts bundles in force on this machine.

    Args:
        config: The gateway's configuration; its parts lie in the folder beside it.
        settings: Which commands.
        health: How the gateway is, by a status of its own that is younger than a time (microseconds since 1970).
        drivers: What a configuration may say of drivers.
        settle_s: How long it has to be well.
    """

    def __init__(
        self,
        config: Path,
        settings: Fleet,
        health: Callable[[int], Health],
        *,
        drivers: Any = None,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._config = config
        self._settings = settings
        self._health = health
        self._drivers = drivers
        self._settle_s = settle_s
        self._parts = config.with_name(config.name + PARTS_FOLDER)

    def upgrade(self, file: Path, older: str = "") -> Ending:
        """Have the upgrade command install a file, and say what came of it in its own words.

        Args:
            file: The bundle.
            older: Why it may be an older version; empty: the command refuses one.
        """
        reason = [f"--older={older}"] if older else []
        return _run([*self._settings.upgrade_command, *reason, str(file)], UPGRADE_S)

    def configure(self, file: Path, stop: threading.Event) -> Ending:
        """Take over a part of the configuration; whatever goes wrong, the one before is in force again."""
        try:
            text = file.read_text("utf-8")
            foreign = sorted(foreign_to(tomllib.loads(text)))
        except (OSError, ValueError, RecursionError) as error:
            return False, f"it is not a part of a configuration: {error}"
        if foreign:
            return False, f"it has {foreign[0]}, which is each machine's own: {', '.join(sorted(ALLOWED))} may be sent"
        try:
            load(self._config, self._drivers, trial=(PART, text))
        except ConfigError as error:
            return False, f"its check fails: {printable('; '.join(map(str, error.problems)))[:LONGEST_WHY]}"
        try:
            self._switch(text)
        except OSError as error:
            return False, f"it cannot be put in place ({error.strerror or error}): the one before stays in force"
        good, why = self._restart(stop)
        if good:
            (self._parts / PREVIOUS).unlink()
            return True, why
        self._switch_back()
        back, trouble = self._restart(stop)
        return False, f"{why}; the one before is in force again{'' if back else f', and: {trouble}'}"

    def settle(self) -> str:
        """Put back what was in force before a try that nobody saw the end of, and say what was done."""
        if not (self._parts / PREVIOUS).exists():
            return "nothing was changed"
        self._switch_back()
        done, why = _run(self._settings.restart_command, RESTART_S)
        return f"the one before is in force again{'' if done else f', but it could not be restarted: {why}'}"

    def _switch(self, text: str) -> None:
        self._parts.mkdir(exist_ok=True, mode=0o750)
        give_to_owner_of_folder(self._parts)
        part, previous = self._parts / PART, self._parts / PREVIOUS
        try:
            replace_file(previous, part.read_bytes() if part.exists() else b"", mode=0o640)
            replace_file(part, text.encode(), mode=0o640)
        except OSError:
            previous.unlink(missing_ok=True)  # a disk that is full: nothing was changed
            raise

    def _switch_back(self) -> None:
        """Put back what was in force; takes no room, which a disk that is full has none of."""
        part, previous = self._parts / PART, self._parts / PREVIOUS
        if previous.stat().st_size:
            previous.replace(part)
        else:
            part.unlink(missing_ok=True)
            previous.unlink()
        flush_folder(self._parts)

    def _restart(self, stop: threading.Event) -> Ending:
        restarted_us = time.time_ns() // 1000
        done, why = _run(self._settings.restart_command, RESTART_S)
        return self._wait_well(restarted_us, stop) if done else (False, f"it could not be restarted: {why}")

    def _wait_well(self, since_us: int, stop: threading.Event) -> Ending:
        """Wait until the gateway says of itself that it is well, and for a while."""
        deadline = time.monotonic() + self._settings.well_within_s
        well_since: float | None = None
        while True:
            health = self._health(since_us)
            now = time.monotonic()
            well_since = None if not health.well else now if well_since is None else well_since
            if well_since is not None and now - well_since >= self._settle_s:
                return True, f"well {(time.time_ns() // 1000 - since_us) / MICRO:.0f} s after its restart"
            if now > deadline:
                return False, f"{self._settings.well_within_s:.0f} s after its restart it {health.sentence}"
            if stop.wait(LOOK_S):
                return False, "the agent was ended meanwhile"


def foreign_to(part: dict[str, Any]) -> Iterator[str]:
    """Yield what a part of a configuration for many machines may not have."""
    for table, says in part.items():
        if table not in ALLOWED:
            yield f"[{table}]"
        elif isinstance(says, dict):
            yield from (f"{table}.{key}" for key in says if key in OWN.get(table, ()))


def _run(command: Sequence[str], within_s: float) -> Ending:
    """Run a command; return whether it went well, and the last line that it said."""
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, check=False, timeout=within_s)  # noqa: S603 - the site's own setting
    except subprocess.TimeoutExpired:
        return False, f"'{' '.join(command[:2])}' has not ended within {within_s:.0f} s: 'systemctl status' says why"
    except OSError as error:
        return False, printable(str(error))[:LONGEST_WHY]
    lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    said = printable(lines[-1].strip())[:LONGEST_WHY] if lines else ""
    if done.returncode:
        return False, said or f"{command[0]} ended with status {done.returncode}"
    return True, said or "done"
