"""The folder with what a gateway has of its fleet: where it lies, and whether root may go by what is in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from config.loader import PARTS_FOLDER
from config.settings import Settings
from gateway.machine.ownership import who_else_may_change

FOLDER = "fleet-member"
"""Below the data folder, unless the configuration names another: certificates, keys, and `member.json`."""
MEMBER = "member.json"
ROOTS_FOLDER = "/var/lib/rehab-gateway-fleet"
"""The other one that docs/fleet.md has: beside the data folder, in which the gateway's user writes."""


def member_folder(settings: Settings) -> Path:
    """Return where what a gateway has of its fleet lies."""
    return settings.fleet.member_folder or settings.site.data / FOLDER


def trouble_of_configuration(config: Path) -> str:
    """Return why root may not run the commands of a configuration, and what to do; empty where it may."""
    parts = config.with_name(config.name + PARTS_FOLDER)
    if why := _first((config, parts, *parts.glob("*"))):
        return (
            f"as root, the agent would run commands of {config} that others may change: {why}. Have it, its parts and"
            " the folders on the way belong to root, and let nobody else write there"
        )
    return ""


def trouble_of_folder(settings: Settings) -> str:
    """Return why root may not take roll-outs by what 'fleet join' has written, and what to do; empty where it may.

    What lies in the data folder is refused whoever it belongs to: services give that to their user as they start.
    """
    folder, data = member_folder(settings), settings.site.data
    if data.resolve() in folder.resolve().parents:
        why = f"{folder} lies in the data folder, in which the gateway's user writes"
    else:
        why = _first((folder, *folder.rglob("*")))
    if why and folder.exists():
        return (
            f"as root, the agent would take roll-outs by files that others may change: {why}. Have this gateway join"
            f" once more, into a folder of root's (fleet join --folder {ROOTS_FOLDER}); or take roll-outs.conf away"
        )
    return ""


def _first(places: Iterable[Path]) -> str:
    """Return by what somebody else may change the first of which that is so; of what is not there nothing."""
    for place in places:
        try:
            if why := who_else_may_change(place):
                return why
        except FileNotFoundError:
            continue
    return ""
