"""A simulated patient who does tests, at speed, with the gateway and the historian as processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from argon2 import PasswordHasher

from config.loader import load
from config.settings import Settings
from gateway.dashboard.access import ROLES
from gateway.dashboard.users import User, save
from tests.gateway.dashboard.bedside import PASSWORD, START_S, STOP_S, Listener
from tests.gateway.dashboard.conftest import free_port
from tests.servers import wait_until


@dataclass
class Clinic:
    """Its settings, who hears it, and what the patient does in truth: seconds from their first sample."""

    settings: Settings
    heard: Listener
    truth: Path

    def lasted(self, what: str) -> list[float]:
        """Return how long each test of a name lasts in truth, in seconds."""
        did = orjson.loads(self.truth.read_bytes())["bed-1"]["did"]
        return [one["end_s"] - one["start_s"] for one in did if one["what"] == what]


@contextmanager
def clinic(folder: Path, broker_port: int, *, site: str, speed: float, only: tuple[str, ...]) -> Iterator[Clinic]:
    """Have one patient do the tests named, round after round, until left."""
    path, truth = folder / "ward.toml", folder / "truth.json"
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(folder / "users.jsonl", [User(f"{role}-1", role, digest) for role in ROLES])
    with ExitStack() as stack:
        stack.enter_context(_process(
            "simulate", "timed-tests", "--beds", "1", "--rounds", "100", "--speed", str(speed),
            "--socket", str(folder / "radio"), "--ports", str(folder / "ports"),
            "--write-config", str(path), "--write-truth", str(truth), *(f"--only={name}" for name in only),
        ))  # fmt: skip
        wait_until(path.exists, START_S)
        path.write_text(
            f'{path.read_text()}\n[site]\nsite = "{site}"\ndata = "{folder}/data"\n'
            f"[broker]\nembedded = false\nport = {broker_port}\n"
            f'[dashboard]\nport = {free_port()}\nusers_file = "{folder}/users.jsonl"\n'
        )
        settings = load(path)
        heard = Listener(settings)
        stack.callback(heard.close)
        stack.enter_context(_process("historian", str(path)))
        stack.enter_context(_process("run", str(path)))
        wait_until(lambda: heard.ward, START_S)
        yield Clinic(settings, heard, truth)


@contextmanager
def _process(*arguments: str) -> Iterator[None]:
    child = subprocess.Popen(
        [sys.executable, "-m", "gateway", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        child.terminate()
        child.wait(STOP_S)
