"""The services of a machine: which ran, which run, starting them again; by systemd, or a program in its place."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from gateway.installation.errors import InstallationError
from gateway.installation.versions import FINISHER, NAME

SYSTEMD = Path("/run/systemd/system")
UNIT = f"{NAME}@{{}}.service"
FINISHING_UNIT = f"{NAME}-upgrade.service"
WANTED = frozenset({"active", "activating", "reloading", "deactivating"})
RESTART_S = 120.0
"""systemd gives a service 30 s to end what is on its way; three of them, and a slow disk."""
LOOK_S = 1.0
SAY_EVERY_S = 15.0
FINISHER_LOG = "finisher.log"


class ServiceError(InstallationError):
    """The services do not do what they are asked to."""


class Services(Protocol):
    """What is asked of whoever starts services."""

    def wanted(self) -> list[str]:
        """Return the services that run or are to: ``run``, ``historian``, ``dashboard``."""

    def running(self) -> list[str]:
        """Return those that run at this moment."""

    def restart(self, names: Sequence[str]) -> None:
        """End services and have them start again, as the link says by now; raises ServiceError.

        When it returns none runs any more of what ran before; that those started are ready is for `running` to say.
        """

    def at(self, name: str) -> str:
        """Return what a service that does not run is at, in its own words and those of who starts it; may be empty."""

    def stand_by(self, home: Path) -> None:
        """Start a finisher, which waits: it takes over when whoever called this is killed."""


class Systemd:
    """The services as systemd's units; where systemd does not run, there are none."""

    def wanted(self) -> list[str]:
        """Return the instances that are not stopped."""
        return [name for name, active in self._units() if active in WANTED]

    def running(self) -> list[str]:
        """Return the instances that are active."""
        return [name for name, active in self._units() if active == "active"]

    def restart(self, names: Sequence[str]) -> None:
        """Restart instances, also those that systemd has given up on.

        It waits until they have ended, and not until they are ready: one that never is would hold up who has to say so.
        """
        if names:
            units = [UNIT.format(name) for name in names]
            _call("systemctl", "stop", *units)
            _call("systemctl", "reset-failed", *units, check=False)
            _call("systemctl", "start", "--no-block", *units)

    def at(self, name: str) -> str:
        """Return the unit's state, how its process ended last, and what that says of itself (STATUS=)."""
        asked = [f"--property={of}" for of in ("ActiveState", "SubState", "Result", "NRestarts", "StatusText")]
        told = _call("systemctl", "show", *asked, UNIT.format(name), check=False)
        found = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        words = [f"{found.get('ActiveState', 'unknown')} ({found.get('SubState', '')})"]
        if found.get("Result", "success") != "success":
            words.append(f"ended by {found['Result']}")
        if (again := found.get("NRestarts", "0")) != "0":
            words.append(f"started again {again} times")
        if found.get("StatusText"):
            words.append(f'it says "{found["StatusText"]}"')
        return ", ".join(words)

    def stand_by(self, home: Path) -> None:
        """Start the unit that also looks at each boot whether something is left to finish."""
        del home
        if SYSTEMD.is_dir():
            _call("systemctl", "start", "--no-block", FINISHING_UNIT, check=False)

    @staticmethod
    def _units() -> list[tuple[str, str]]:
        if not SYSTEMD.is_dir():
            return []
        listed = _call("systemctl", "list-units", "--all", "--plain", "--no-legend", UNIT.format("*"))
        words = [line.split() for line in listed.splitlines()]
        return [(of[0].partition("@")[2].removesuffix(".service"), of[2]) for of in words if len(of) > 2]


class Supervisor:
    """A program that starts services in systemd's place.

    It is called as ``PROGRAM wanted``, ``PROGRAM running`` (prints a name a line) and ``PROGRAM restart NAME...``.

    Args:
        program: The program.
    """

    def __init__(self, program: Path) -> None:
        self._program = str(program)

    def wanted(self) -> list[str]:
        """Ask it which are to run."""
        return _call(self._program, "wanted").split()

    def running(self) -> list[str]:
        """Ask it which run."""
        return _call(self._program, "running").split()

    def restart(self, names: Sequence[str]) -> None:
        """Have it restart some."""
        if names:
            _call(self._program, "restart", *names)

    def at(self, name: str) -> str:
        """Say nothing: the program has no word for it."""
        del name
        return ""

    def stand_by(self, home: Path) -> None:
        """Start a finisher of this program's own: it outlives whoever started it."""
        with (home / FINISHER_LOG).open("ab") as log:
            subprocess.Popen(
                [home / FINISHER / "bin" / NAME, "upgrade", "--resume", "--home", home],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip


def services_of(supervisor: str) -> Services:
    """Return whoever starts services here."""
    return Supervisor(Path(supervisor)) if supervisor else Systemd()


def not_running(services: Services, names: Sequence[str]) -> str:
    """Return which of some services do not run, and what each is at; empty where all do."""
    running = services.running()
    missing = [(name, services.at(name)) for name in names if name not in running]
    return "; ".join(f"{name} does not run{f': {at}' if at else ''}" for name, at in missing)


def wait_running(services: Services, names: Sequence[str], within_s: float, say: Callable[[str], None]) -> str:
    """Wait until some services run, saying how it goes; return what `not_running` says at the end."""
    began = said_s = time.monotonic()
    while why := not_running(services, names):
        now = time.monotonic()
        if now - began >= within_s:
            return why
        if now - said_s >= SAY_EVERY_S:
            said_s = now
            say(f"  {now - began:.0f} of {within_s:.0f} s: {why}")
        time.sleep(LOOK_S)
    return ""


def _call(*command: str, check: bool = True) -> str:
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, check=False, timeout=RESTART_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"'{' '.join(command[:2])}' did not answer: {error}") from error
    if check and done.returncode:
        raise ServiceError(f"'{' '.join(command)}' failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
