"""A whole ward for tests: set up by its command, with simulated sensors, as processes of their own."""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import free_port

PASSWORD = "kettle orbit plum sandal"  # noqa: S105 - of nobody
ANSWERS = """
[ward]
site = "elm"
name = "Ward 7"
[beds]
names = ["Bed 1"]
[admin]
name = "sam"
password = "{password}"
[certificate]
names = ["localhost", "127.0.0.1"]
[pages]
port = {port}
[radio]
kind = "practice"
[backup]
folder = "{backups}"
keep = 2
"""
STOPPED_WITHIN_S = 30.0
COMMAND_WITHIN_S = 120.0


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of ours to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *map(str, words)], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=COMMAND_WITHIN_S,
    )  # fmt: skip


@dataclass(frozen=True)
class WholeWard:
    """Where the files of a ward are."""

    root: Path
    port: int

    @property
    def etc(self) -> Path:
        """Its configuration."""
        return self.root / "etc"

    @property
    def data(self) -> Path:
        """Its data."""
        return self.root / "data"

    @property
    def backups(self) -> Path:
        """Its backups."""
        return self.root / "backups"

    @property
    def file(self) -> Path:
        """Its configuration file."""
        return self.etc / "ward.toml"

    def set_up(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Call setup, unattended."""
        self.backups.mkdir(exist_ok=True)
        answers = self.root / "answers.toml"
        answers.write_text(ANSWERS.format(password=PASSWORD, port=self.port, backups=self.backups), "utf-8")
        return command("setup", "--answers", answers, "--folder", self.etc, "--data", self.data, *more)

    @contextmanager
    def running(self, *parts: str) -> Iterator[None]:
        """Have parts of it run: ``simulate``, ``historian``, ``run``, ``dashboard``, in this order."""
        with ExitStack() as stack:
            for part in parts:
                words = (part, "--ward", self.file) if part == "simulate" else (part, self.file)
                stack.enter_context(self._process(part, [*map(str, words)]))
            yield

    @contextmanager
    def _process(self, name: str, words: list[str]) -> Iterator[None]:
        with (self.root / f"{name}.log").open("ab") as log:
            child = subprocess.Popen([sys.executable, "-m", "gateway", *words], stdout=log, stderr=log, cwd=self.root)
            try:
                yield
            finally:
                child.send_signal(signal.SIGTERM)
                child.wait(STOPPED_WITHIN_S)

    def trusting(self) -> ssl.SSLContext:
        """Return TLS of a browser that was told to trust the ward's authority, and nobody else."""
        return ssl.create_default_context(cafile=self.etc / "certificates/authority.pem")


def new_ward(root: Path) -> WholeWard:
    """Return a ward that is not set up yet."""
    root.mkdir(parents=True, exist_ok=True)
    return WholeWard(root, free_port())
