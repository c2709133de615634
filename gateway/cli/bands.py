"""The band files as commands show and take them."""

from __future__ import annotations

from config.settings import Settings
from config.wording import suggestion
from gateway.model.usage import UsageError
from gateway.results.bands import band_groups
from gateway.ward.plans import NO_BANDS


def find_group(settings: Settings, group: str) -> None:
    """Raise UsageError where no band file here is of a group; ConfigError where one cannot be used."""
    if not group or group == NO_BANDS:
        return
    if group not in (known := band_groups(settings)):
        raise UsageError(f"no band file here is of the group '{group}'{suggestion(group, [*known, NO_BANDS])}")


def bands_in_words(settings: Settings) -> str:
    """Return which groups there are, in a line; raises ConfigError."""
    return ", ".join(band_groups(settings))
