"""What several commands take and show: the configuration file, and the examples at the end of a help page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from config.checks import KnownDriver
    from config.settings import Settings

log = logging.getLogger(__name__)

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="Configuration file (TOML); see config/examples.")]


def examples(*lines: str) -> str:
    """Return the end of a help page: commands to try, each ``command  # what it does``."""
    width = max(len(line.partition("  #")[0]) for line in lines)
    shown = []
    for line in lines:
        command, _, comment = line.partition("  #")
        shown.append(f"  [bold]{command:{width}}[/bold]  [dim]{comment.strip()}[/dim]".rstrip())
    return "\n".join(["Examples", *shown])


def load_settings(path: Path, *, strict: bool = False) -> Settings:
    """Load a configuration with the drivers there are; raises ConfigError.

    Args:
        path: The file.
        strict: Whether a key that is no setting is a mistake. Else it is said and left out: after a way back the file
            is that of a newer version, and a ward is not left unmeasured for it.
    """
    from config.loader import load

    return load(path, known_drivers(), on_unknown=None if strict else lambda problem: log.warning("%s", problem))


def known_drivers() -> Mapping[str, KnownDriver]:
    """Return what a configuration may say of each driver; those that it does not name are not imported."""
    from gateway.analysis.known_drivers import KnownDrivers

    return KnownDrivers()
