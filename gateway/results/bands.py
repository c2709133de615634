"""The bands that a site has: shipped and its own, each for metrics of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from config.bands import BandFile, read_band_files
from config.settings import Settings
from dsp.catalogue import METRICS


@cache
def units() -> Mapping[str, str]:
    """Return the UCUM code of every metric."""
    return MappingProxyType({metric.id: metric.unit for metric in METRICS})


def band_groups(settings: Settings) -> dict[str, BandFile]:
    """Return the band files by their group; raises ConfigError."""
    return read_band_files(settings.change.band_files, units())
