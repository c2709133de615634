"""Asks the program of a version, as the user whose data it is: what it says of a configuration, forms, a gateway."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.installation.errors import RefusedError
from gateway.installation.forms import Forms

CHECK_S = 120.0
"""A Raspberry Pi with a cold disk takes ten seconds to load a program."""
STATUS_S = 60.0
USAGE = 2


@dataclass(frozen=True, slots=True)
class Program:
    """The program of a version.

    Attributes:
        path: Its command.
        version: Which it is.
        data: The data folder, whose owner it is run as; None where there is none yet.
    """

    path: Path
    version: str
    data: Path | None = None

    def check(self, config: Path) -> None:
        """Have it check a configuration; raises RefusedError with what it says."""
        done = self._ask("check", "--as-run", str(config))
        if done.returncode == USAGE and "--as-run" in done.stderr:  # one from before there was that option
            done = self._ask("check", str(config))
        if done.returncode:
            words = " ".join((done.stderr or done.stdout).split())
            raise RefusedError(
                f"version {self.version} does not take {config}: {words or f'it ended with {done.returncode}'}"
            )

    def forms(self) -> Forms | None:
        """Return the forms of files that it goes on with; None where it cannot tell."""
        done = self._ask("versions", "--forms")
        try:
            found = orjson.loads(done.stdout)
        except orjson.JSONDecodeError:
            return None
        return found if isinstance(found, dict) else None

    def status(self, config: Path) -> dict[str, Any] | None:
        """Return what it says of the gateway that runs (``status --json``); None where it says nothing."""
        try:
            done = self._ask("status", str(config), "--json", timeout_s=STATUS_S)
            found = orjson.loads(done.stdout)
        except (orjson.JSONDecodeError, RefusedError):
            return None
        return found if isinstance(found, dict) else None

    def _ask(self, *words: str, timeout_s: float = CHECK_S) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [str(self.path), *words], capture_output=True, text=True, check=False, timeout=timeout_s,
                stdin=subprocess.DEVNULL, **self._owner(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RefusedError(
                f"version {self.version} does not answer to '{words[0]}' within {timeout_s:g} s"
            ) from None
        except OSError as error:
            raise RefusedError(f"version {self.version} cannot be started: {error.strerror}") from error

    def _owner(self) -> dict[str, Any]:
        """Return who to be: what root makes in the data folder the services could not use."""
        if os.geteuid() != 0 or self.data is None or not self.data.exists():
            return {}
        there = self.data.stat()
        if there.st_uid == 0:
            return {}
        return {"user": there.st_uid, "group": there.st_gid, "extra_groups": []}
