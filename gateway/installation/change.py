"""Another version takes the place of the one that runs, is tried, and is kept or gone back from.

A rollback is the same with a version that is here already. Nothing is asked of the files: while there is a way back
their forms stay (`gateway.machine.kept_forms`), so that either version goes on where the other was stopped.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.errors import ConfigError
from config.loader import load
from config.settings import Settings
from gateway.installation.errors import InstallationError, OlderError, RefusedError, SignatureError, WentBackError
from gateway.installation.forms import forms, forms_here, misfits
from gateway.installation.journal import Change, Journal, Kind
from gateway.installation.one_file import BESIDE, is_one_file, take_apart
from gateway.installation.package import Package, bring, read_package, unpack
from gateway.installation.program import Program
from gateway.installation.safety_copy import keep
from gateway.installation.services import Services, services_of, wait_running
from gateway.installation.signature import Keys, verify
from gateway.installation.trial import TRIAL_S, Trial, troubles
from gateway.installation.versions import HOME, Versions
from gateway.installation.way_back import close_way_back, is_open, open_way_back
from gateway.machine import durable
from gateway.machine.version_order import order

PACKAGE = "upgrade.deb"
"""The package that is being installed, in the folder of the versions: a USB stick may be pulled out meanwhile."""
SPARE = 512 * 2**20
"""Bytes that stay free when a package is unpacked."""
MB = 2**20
DPKG_S = 600.0
BACK_S = 120.0
"""For the version before to run again: it takes seconds, and a large outbox that has to be checked some more."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a change is to be made.

    Attributes:
        config: The configuration of the services.
        supervisor: A program that starts services in systemd's place; empty for systemd.
        unsigned: Why a package may be installed that nobody trusted signed.
        older: Why a version may be installed that is older than the one that runs.
        within_s: How long the new version may take until it is well.
    """

    config: Path
    supervisor: str = ""
    unsigned: str = ""
    within_s: float = TRIAL_S
    older: str = ""


class Changer:
    """Changes the version of this machine.

    Args:
        versions: Those that are here.
        say: Told of each step.
    """

    def __init__(self, versions: Versions, say: Say) -> None:
        self._versions = versions
        self._journal = Journal(versions.home)
        self._say = say

    def upgrade(self, file: Path, keys: Keys, wish: Wish) -> Change:
        """Install a package beside, try it, keep it. Raises InstallationError; what ran then runs again."""
        with self._journal.held():
            self._refuse_unfinished()
            package, key = self._take(file, keys, wish)
            try:
                change = self._begin("upgrade", package.version, wish)
                older = _refuse_older(change, wish)
                change = change.model_copy(
                    update={"key": key, "unsigned": "" if key else wish.unsigned, "older": older}
                )
                self._refuse_held_back_forms(change)
            except InstallationError:
                durable.remove(package.path)
                raise
            return self._carry_out(change, wish, package)

    def rollback(self, to: str, wish: Wish) -> Change:
        """Have a version that is here run again. Raises InstallationError; what ran then runs again."""
        with self._journal.held():
            self._refuse_unfinished()
            if to not in self._versions.installed():
                there = ", ".join(self._versions.installed())
                raise RefusedError(f"version {to} is not here; there is: {there}")
            return self._carry_out(self._begin("rollback", to, wish), wish)

    def resume(self) -> str:
        """Finish what was broken off; return what came of it, nothing where nothing was. Waits for who is at it."""
        with self._journal.held(wait=True):
            change = self._journal.under_way()
            if change is None:
                self._versions.set_finisher("")
                return ""
            if change.step == "kept":
                self._finish(change)
                return f"version {change.new} had been kept: it runs"
            why = "the change was broken off"
            lacks = ""
            if change.step == "begun":
                self._give_up(change, why)
            elif at := self._go_back(change, why):
                lacks = f", and yet {at}"
            return f"{why}: version {change.old} runs{lacks}"

    def settle(self, config: Path) -> list[str]:
        """Give up the way back; return the versions that were removed. Files are brought to the form of this version.

        Raises:
            InstallationError: A change is under way, or there is no configuration.
        """
        with self._journal.held():
            self._refuse_unfinished()
            current = self._versions.current()
            settings = _settings(config)
            if settings is not None and is_open(settings.site.data):
                close_way_back(settings.site.data)
            gone = [version for version in self._versions.installed() if version != current]
            for version in gone:
                self._versions.remove(version)
            return gone

    # The steps.

    def _refuse_unfinished(self) -> None:
        if self._journal.under_way() is not None:
            raise RefusedError("a change was broken off and is not finished: 'rehab-gateway upgrade --resume' first")

    def _take(self, file: Path, keys: Keys, wish: Wish) -> tuple[Package, str]:
        """Copy the package, and see who signed it; return it with the id of the key, which is empty if nobody did."""
        if not file.is_file():
            raise RefusedError(f"{file}: there is no such file")
        one = is_one_file(file)
        _refuse_without_room(self._versions.home, file.stat().st_size + (0 if one else read_package(file).size))
        mine, signed = self._versions.home / PACKAGE, self._versions.home / BESIDE
        try:
            if one:
                beside = take_apart(file, mine, signed)
            else:
                beside = file
                bring(file, mine, self._say)
            package = read_package(mine)
            _refuse_without_room(self._versions.home, package.size)
            return package, self._signer(mine, beside, keys, wish)
        except BaseException:
            durable.remove(mine)
            raise
        finally:
            shutil.rmtree(signed, ignore_errors=True)

    def _signer(self, mine: Path, beside: Path, keys: Keys, wish: Wish) -> str:
        """Return the id of the key that signed, nothing where nobody did and that may be; raises SignatureError."""
        try:
            key = verify(mine, beside, keys)
        except SignatureError as error:
            if not wish.unsigned:
                raise
            self._say(f"NOT SIGNED ({error}); installed all the same, because: {wish.unsigned}")
            return ""
        self._say(f"signed by {key}, which is trusted")
        return key

    def _begin(self, kind: Kind, new: str, wish: Wish) -> Change:
        old = self._versions.current()
        if new == old:
            raise RefusedError(f"version {new} is the one that runs")
        settings = _settings(wish.config)
        return Change(
            kind=kind, old=old, new=new, at_us=time.time_ns() // 1000,
            unpacked=new not in self._versions.installed(),
            config=str(wish.config.absolute()) if settings else "", data=str(settings.site.data) if settings else "",
            marked=settings is not None and is_open(settings.site.data),
            services=tuple(services_of(wish.supervisor).wanted()), supervisor=wish.supervisor,
        )  # fmt: skip

    def _refuse_held_back_forms(self, change: Change) -> None:
        """Refuse to go further while files have an older form than this version's, kept for the one before."""
        settings = _settings(Path(change.config)) if change.config else None
        if settings is None or not change.marked:
            return
        behind = [path.name for kind, (path, n) in forms_here(settings).items() if n not in (0, forms()[kind][-1])]
        if behind:
            raise RefusedError(
                f"{', '.join(behind)} still has the form of the version before: give up the way back to it first"
                " ('rehab-gateway upgrade --settle'), and upgrade when that is done"
            )

    def _carry_out(self, change: Change, wish: Wish, package: Package | None = None) -> Change:
        change = self._journal.write(change, "begun")
        self._versions.set_finisher(change.old)
        try:
            before = self._prepare(change, package)
        except BaseException as error:
            self._give_up(change, _words(error))
            raise
        services = services_of(change.supervisor)
        try:
            services.stand_by(self._versions.home)
            open_way_back(change)
            change = self._journal.write(change, "changed")
            self._versions.switch(change.new)
            why = self._try(change, services, before, wish.within_s)
        except BaseException as error:
            self._go_back(change, _words(error))
            raise
        if why:
            lacks = self._go_back(change, why)
            again = f"version {change.old} takes its place again, and yet {lacks}" if lacks else ""
            raise WentBackError(f"version {change.new} was tried, and {again or f'{change.old} runs again'}: {why}")
        change = self._journal.write(change, "kept")
        self._finish(change)
        return change

    def _prepare(self, change: Change, package: Package | None) -> set[str]:
        """Lay the new version out, have it check, copy; return what is wrong already. Nothing that runs is touched."""
        if package is not None:
            self._say(f"unpacking version {change.new} beside {change.old} ({package.size // MB} MB)")
            unpack(package, self._versions)
        settings = _settings(Path(change.config)) if change.config else None
        if settings is None:
            self._say("there is no configuration yet: nothing to check and to copy")
            return set()
        new = Program(self._versions.program(change.new), change.new, settings.site.data)
        self._say(f"version {change.new} checks {change.config}")
        new.check(Path(change.config))
        self._compare_forms(new, settings)
        self._say(f"copying data and configuration of before to {settings.site.data}")
        try:
            keep(settings.site.data, settings.history_file, Path(change.config), self._say)
        except (OSError, sqlite3.Error) as error:
            raise RefusedError(f"data and configuration cannot be copied: {error}") from error
        old = Program(self._versions.program(change.old), change.old, settings.site.data)
        return troubles(old.status(Path(change.config))) if "run" in change.services else set()

    @staticmethod
    def _compare_forms(new: Program, settings: Settings) -> None:
        told = new.forms()
        if told is not None and (wrong := misfits(forms_here(settings), told)):
            raise RefusedError(
                f"version {new.version} could not go on with the files as they are, and nothing changes them while"
                f" there is a way back: {'; '.join(wrong)}"
            )

    def _try(self, change: Change, services: Services, before: set[str], within_s: float) -> str:
        if not change.services:
            self._say("no service ran, so none is started: that the new version works is not tried")
            return ""
        self._say(f"version {change.new} starts: {', '.join(change.services)}")
        services.restart(change.services)
        what = "all is well and a receipt came back" if "run" in change.services else "they run (no 'run': no receipt)"
        self._say(f"waiting until {what}; {within_s:.0f} s at most")
        config, data = Path(change.config), Path(change.data) if change.data else None
        program = Program(self._versions.program(change.new), change.new, data)
        trial = Trial(services, change.services, lambda: program.status(config), before, self._say)
        return trial.wait(within_s)

    # How it ends. Each may be broken off, and is then done once more.

    def _give_up(self, change: Change, why: str) -> None:
        """End a change before anything that runs was touched."""
        self._end(change, "given up", why)

    def _go_back(self, change: Change, why: str) -> str:
        """Have the old version run again; return which of its services do not yet, and what they are at."""
        self._say(f"going back to version {change.old}: {why}")
        change = self._journal.write(change, "back")
        if change.data and not change.marked:
            close_way_back(Path(change.data))
        self._versions.switch(change.old)
        services = services_of(change.supervisor)
        services.restart(change.services)
        lacks = wait_running(services, change.services, BACK_S, self._say)
        self._end(change, "went back", "; ".join(filter(None, (why, lacks))))
        return lacks

    def _end(self, change: Change, result: str, why: str) -> None:
        if change.unpacked:
            self._versions.remove(change.new)
        self._tidy()
        self._journal.end(change, result, why)
        self._versions.set_finisher("")

    def _finish(self, change: Change) -> None:
        """Do what is left once the new version is kept: it runs already."""
        note = ""
        if change.kind == "upgrade":
            note = self._register()
            for version in self._versions.installed():
                if version not in (change.old, change.new):
                    self._versions.remove(version)
        self._tidy()
        self._journal.end(change, "kept", note)
        self._versions.set_finisher("")
        self._say(f"version {change.new} is kept; {change.old} stays beside it ('rehab-gateway rollback')")

    def _register(self) -> str:
        """Have Debian's package manager know, with units and rules of the new version; return why it does not.

        A way of the package that takes the version before along: see the decision on upgrades.
        """
        package = self._versions.home / PACKAGE
        if self._versions.home != HOME or not package.exists():
            return ""
        self._say("telling Debian's package manager")
        done = subprocess.run(
            ["dpkg", "--install", str(package)], capture_output=True, text=True, check=False, timeout=DPKG_S
        )
        if not done.returncode:
            return ""
        why = f"dpkg does not list it: {' '.join(done.stderr.split())}"
        self._say(f"  {why}; 'sudo apt install FILE' later does no harm")
        return why

    def _tidy(self) -> None:
        durable.remove(self._versions.home / PACKAGE)
        shutil.rmtree(self._versions.home / ".unpacking", ignore_errors=True)


def _settings(config: Path) -> Settings | None:
    """Return what a configuration says; None where there is none yet. Raises RefusedError."""
    if not config.exists():
        return None
    try:
        return load(config, on_unknown=lambda _problem: None)
    except ConfigError as error:
        raise RefusedError(str(error)) from error


def _refuse_without_room(home: Path, size: int) -> None:
    free, need = shutil.disk_usage(home).free, size + SPARE
    if need > free:
        raise RefusedError(f"{home} has {free // MB} MB free, and this takes {need // MB} MB: make room")


def _refuse_older(change: Change, wish: Wish) -> str:
    """Return why an older version may come, nothing where it is none. Raises OlderError where nobody said why.

    A signature holds for ever, also that of a version whose faults have been mended since.
    """
    if order(change.new) >= order(change.old):
        return ""
    if not wish.older:
        raise OlderError(f"version {change.new} is older than {change.old}, which runs")
    return wish.older


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
