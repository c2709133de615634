"""A machine on which versions stand side by side, in a folder: packages, services, a broker, measurements under way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.installation.journal import Journal
from gateway.installation.versions import CURRENT, Versions
from tests.faults.chain import known, wait_for
from tests.faults.outcome import promised
from tests.servers import Child, mosquitto_in

ROOT = Path(__file__).parents[3]
FIRST = "0.1.0"
OLD_ENOUGH_S = 120.0
SUPERVISOR = Path(__file__).with_name("supervisor.py")


class Bench:
    """The machine.

    Args:
        folder: For everything.
        broker: A mosquitto.
        config: Text of the configuration; one for the generator if left out.
        real: Whether ``run`` is the real one.
    """

    def __init__(self, folder: Path, broker: Child, *, config: str = "", real: bool = False) -> None:
        self.folder, self.home, self.data = folder, folder / "opt", folder / "data"
        self.load = folder / "load"
        for made in (self.home, self.data, self.load):
            made.mkdir(parents=True)
        self.real = real
        self.config = folder / "etc" / "ward.toml"
        self.config.parent.mkdir()
        self.config.write_text(
            config or f'[site]\nsite = "test"\ngateway = "faults"\ndata = "{self.data}"\n[historian]\n'
            f"keep_days = 100000\n[broker]\nembedded = false\nport = {broker.port}\n"
        )  # fmt: skip
        self.history = self.data / "history.db"
        self.versions, self.journal = Versions(self.home), Journal(self.home)
        self.lay_out(self.home / FIRST)
        (self.home / CURRENT).symlink_to(FIRST)
        self.supervisor = folder / "supervisor"
        self._socket = folder / "s"
        self.supervisor.write_text(f'#!/bin/sh\nexec {sys.executable} -I {SUPERVISOR} {self._socket} "$@"\n')
        self.supervisor.chmod(0o755)
        self._services: subprocess.Popen[bytes] | None = None

    def lay_out(self, environment: Path, fault: str = "none") -> None:
        """Make the environment of a version: one command."""
        (environment / "bin").mkdir(parents=True)
        command = environment / "bin" / "rehab-gateway"
        load = "-" if self.real else self.load
        program = f"{sys.executable} -m tests.gateway.installation.made_version {fault} {load}"
        command.write_text(f'#!/bin/sh\ncd {ROOT} && exec {program} "$@"\n')
        command.chmod(0o755)

    def package(self, version: str, fault: str = "none", *, name: str = "rehab-gateway") -> Path:
        """Make a package of a version."""
        if shutil.which("dpkg-deb") is None:
            pytest.skip("needs Debian's dpkg")
        tree, out = self.folder / f"tree-{version}", self.folder / "packages"
        shutil.rmtree(tree, ignore_errors=True)
        self.lay_out(tree / "opt/rehab-gateway" / version, fault)
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}+deb12\nArchitecture: all\nMaintainer: tests\nInstalled-Size: 4\n"
            "Description: made for a test\n"
        )
        out.mkdir(exist_ok=True)
        made = out / f"{name}_{version}_all.deb"
        build = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(made)]
        subprocess.run(build, check=True, capture_output=True)
        sums = [f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(out.glob("*.deb"))]
        (out / "SHA256SUMS").write_text("".join(sums))
        return made

    # What runs.

    def start_services(self) -> None:
        """Start the supervisor with its services, as a boot does."""
        words = ["serve", self.home, self.config, "historian", "run"]
        command = [sys.executable, "-I", *map(str, (SUPERVISOR, self._socket, *words))]
        with (self.folder / "supervisor.log").open("ab") as log:
            self._services = subprocess.Popen(command, start_new_session=True, stdout=log, stderr=log)

    def command(self, *words: object, version: str = CURRENT) -> subprocess.Popen[str]:
        """Start a command that changes the version."""
        more = ["--home", self.home]
        if "--resume" not in words:
            more += ["--config", self.config, "--supervisor", self.supervisor]
        return subprocess.Popen(
            [self.home / version / "bin/rehab-gateway", *map(str, words), *map(str, more)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def change(self, *words: object) -> tuple[int, str]:
        """Have the version changed; return the exit status, and what was printed."""
        process = self.command(*words)
        said, _ = process.communicate(timeout=400)
        return process.returncode, said

    def upgrade(self, package: Path, *, within: float = 60.0) -> tuple[int, str]:
        """Upgrade to a package of a test's own."""
        return self.change("upgrade", package, "--unsigned", "made by a test", "--within", within)

    @property
    def current(self) -> str:
        """The version that runs."""
        return self.versions.current()

    def running(self) -> list[str]:
        """The services that run, by their supervisor."""
        done = subprocess.run([self.supervisor, "running"], capture_output=True, text=True, check=True, timeout=90)
        return done.stdout.split()

    def processes(self, word: str = "") -> list[int]:
        """Return all processes of this machine, whose commands name its folder, and a word."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                if f"{self.folder}/" in f"{command} " and word in command and "mosquitto" not in command:
                    found.append(int(entry.name))
        return found

    def kill(self, word: str = "") -> None:
        """Kill those at one instant, as far as there is one."""
        for _ in range(3):  # one may have started another in between
            for pid in self.processes(word):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        if not word and self._services is not None:
            self._services.wait()
            self._services = None

    def boot(self) -> None:
        """Start what starts with the machine: the services, and the finisher where the link says that there is one."""
        if finisher := self.versions.finisher():
            self.command("upgrade", "--resume", version=finisher)
        self.start_services()

    def start_again(self) -> None:
        """Restart all services, as a person does."""
        subprocess.run([self.supervisor, "restart", "run", "historian"], check=True, timeout=90)

    def settled(self, within_s: float = OLD_ENOUGH_S) -> bool:
        """Wait until no change is under way and all services run."""
        return wait_for(
            lambda: self.journal.under_way() is None and not self.versions.finisher(), within_s, poll_s=0.2
        ) and wait_for(lambda: len(self.running()) == 2, within_s, poll_s=0.5)

    # What was measured.

    def behind(self) -> int:
        """Return how much of what was promised is not known yet."""
        journal = self.load / "journal"
        return sum(max(0, last - known(self.history, epoch)) for epoch, last in promised(journal).items())

    def goes_on(self, within_s: float = 60.0) -> bool:
        """Wait until something new is stored."""
        before = known(self.history)
        return wait_for(lambda: known(self.history) > before, within_s, poll_s=0.2)

    def stop(self) -> None:
        """End the generator, have all stored that it promised, end the rest."""
        subprocess.run([self.supervisor, "stop", "run"], check=True, timeout=90)
        rest: list[str | Path] = [sys.executable, "-m", "tests.faults.load", self.config, self.load / "journal", "999"]
        with subprocess.Popen([*rest, "--most", "0", "--resend-after", "5"], cwd=ROOT) as process:
            wait_for(lambda: not self.behind(), 90, poll_s=0.2)
            process.terminate()
        self.end()

    def end_services(self) -> None:
        """End the services in good order."""
        if self._services is not None and self._services.poll() is None:
            self._services.terminate()
            self._services.wait(90)
        self._services = None

    def end(self) -> None:
        """End everything in good order, and whoever does not end."""
        self.end_services()
        self.kill()


@contextmanager
def bench_in(folder: Path, **options: object) -> Iterator[Bench]:
    """A machine around a mosquitto of its own, with its services started."""
    folder.mkdir(parents=True, exist_ok=True)
    with mosquitto_in(folder / "site-broker") as broker:
        bench = Bench(folder, broker, **options)  # type: ignore[arg-type]
        bench.start_services()
        try:
            assert wait_for(lambda: len(bench.running()) == 2 and bench.history.exists(), 60)
            yield bench
        finally:
            bench.end()
