"""The services of a machine: which ran, which run, starting them again; by systemd, or a program in its place."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
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
        """End services and start them again, as the link says by now; raises ServiceError."""

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
        """Restart instances, also those that systemd has given up on."""
        if names:
            units = [UNIT.format(name) for name in names]
            _call("systemctl", "reset-failed", *units, check=False)
            _call("systemctl", "restart", *units)

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


def _call(*command: str, check: bool = True) -> str:
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, check=False, timeout=RESTART_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"'{' '.join(command[:2])}' did not answer: {error}") from error
    if check and done.returncode:
        raise ServiceError(f"'{' '.join(command)}' failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
