"""The versions that stand side by side in one folder, and the link that names the one that runs."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.installation.errors import RefusedError
from gateway.machine import durable
from gateway.machine.version_order import order

NAME = "rehab-gateway"
HOME = Path("/opt/rehab-gateway")
CURRENT = "current"
FINISHER = "finisher"
"""Names the version that finishes a change that is under way: there while one is, and looked for at each start."""
VERSION = re.compile(r"[0-9][0-9A-Za-z.+~-]{0,63}")


class Versions:
    """A folder of versions.

    Args:
        home: The folder: ``<home>/<version>/bin/rehab-gateway`` and ``<home>/current``.
    """

    def __init__(self, home: Path = HOME) -> None:
        self.home = home

    def installed(self) -> list[str]:
        """Return the versions that are here, the lowest first."""
        if not self.home.is_dir():
            return []
        found = [path.name for path in self.home.iterdir() if VERSION.fullmatch(path.name)]
        return sorted((name for name in found if self.program(name).exists()), key=order)

    def current(self) -> str:
        """Return the version that runs; raises RefusedError where there is none."""
        name = self._linked(CURRENT)
        if not name:
            raise RefusedError(f"there is no version in {self.home}: install the package first (apt install FILE)")
        return name

    def finisher(self) -> str:
        """Return the version that finishes a change that is under way; empty where none is."""
        return self._linked(FINISHER)

    def folder(self, version: str) -> Path:
        """Return where a version is, or would be."""
        return self.home / version

    def program(self, version: str) -> Path:
        """Return the command of a version."""
        return self.home / version / "bin" / NAME

    def switch(self, version: str) -> None:
        """Have a version be the one that is started from now on."""
        durable.link(self.home / CURRENT, version)

    def set_finisher(self, version: str) -> None:
        """Say which version finishes what is under way; empty: nothing is any more."""
        if version:
            durable.link(self.home / FINISHER, version)
        else:
            durable.remove(self.home / FINISHER)

    def remove(self, version: str) -> None:
        """Remove a version that does not run."""
        if version != self._linked(CURRENT):
            durable.remove_tree(self.folder(version))

    def _linked(self, name: str) -> str:
        link = self.home / name
        return link.readlink().name if link.is_symlink() else ""
