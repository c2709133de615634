"""The Debian that a package is made on, and for: its release, its Python, and the programs that it brings."""

from __future__ import annotations

from pathlib import Path

PYTHON = Path("/usr/bin/python3")
"""Debian's own: that of a developer (pyenv, conda) is not on the machine where the package is installed."""
PROGRAMS = ("mosquitto", "bluez", "ca-certificates")
"""Of Debian, that the package depends on."""


class DebianError(Exception):
    """This is not the Debian that a package is made on."""


def release() -> str:
    """Return which Debian this is: ``12``; raises DebianError where it is none."""
    words = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line)
    if words.get("ID", "").strip('"') not in {"debian", "raspbian"} or not PYTHON.exists():
        raise DebianError("the package is made on the Debian that it is for, with its own python3 and python3-venv")
    return words["VERSION_ID"].strip('"')
