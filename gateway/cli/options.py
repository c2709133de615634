"""What several commands take and show: the configuration file, and the examples at the end of a help page."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.machine.ownership import become_owner_of

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


def data_folder(settings: Settings) -> Path:
    """Return the folder of nearly all that a command reads and writes."""
    return settings.site.data


def history_folder(settings: Settings) -> Path:
    """Return the folder of the history, which may lie elsewhere."""
    return settings.history_file.parent


def load_settings(
    path: Path,
    *,
    strict: bool = False,
    folder: Callable[[Settings], Path] = data_folder,
    groups: Sequence[str] = (),
) -> Settings:
    """Load a configuration with the drivers there are, and be the data folder's owner where root typed the command.

    So a command does in that folder what its service could do itself, and leaves it nothing that it could not use. A
    command that has to be root for a part of what it does calls `read_configuration`, and does the rest by
    `gateway.machine.ownership.acting_as_owner_of`.

    Args:
        path: The file.
        strict: Whether a key that is no setting is a mistake. Else it is said and left out: after a way back the file
            is that of a newer version, and a ward is not left unmeasured for it.
        folder: In which folder the command reads and writes, where that is not the data folder.
        groups: In which groups it has to be besides its owner's own.

    Raises:
        ConfigError: The configuration is wrong.
        NotAllowedError: Root may not become that user.
    """
    settings = read_configuration(path, strict=strict)
    os.environ.setdefault("LOGNAME", login_name())  # the audit has who typed it, whoever does it
    become_owner_of(folder(settings), groups)
    return settings


def read_configuration(path: Path, *, strict: bool = False) -> Settings:
    """Load a configuration, and stay who one is; raises ConfigError."""
    from config.loader import load

    return load(path, known_drivers(), on_unknown=None if strict else lambda problem: log.warning("%s", problem))


def login_name() -> str:
    """Return who types, for the audit: the login name, or the number of a user who has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user-{os.getuid()}"


def known_drivers() -> Mapping[str, KnownDriver]:
    """Return what a configuration may say of each driver; those that it does not name are not imported."""
    from gateway.analysis.known_drivers import KnownDrivers

    return KnownDrivers()
