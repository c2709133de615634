"""Band files: how large a change of a measure has to be to say something, for one group of patients. Only read here.

A file is TOML: ``group`` (its id), ``population`` (in words) and one ``[[band]]`` for each figure, with where it was
published. Those in ``band_files/`` are shipped; a site adds its own with ``change.band_files``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from config import plain_file
from config.errors import ConfigError, Problem
from config.lines import line_of, locate
from config.protocol import read_protocol
from config.settings import Identifier, Section
from config.wording import sentence

SHIPPED = Path(__file__).with_name("band_files")
LARGEST_BYTES = 100_000  # a file has some ten figures: more is some other file, named by mistake

Kind = Literal["MDC", "MCID", "MID", "SEM"]
Words = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class Band(Section):
    """One published figure.

    Attributes:
        measure: Id of the metric that it is about.
        protocol: Word and fields that the session has to say, as ``10mwt pace=comfortable``; empty: any.
        kind: ``MDC`` smallest detectable change, ``SEM`` standard error of measurement, ``MCID`` and ``MID`` smallest
            change that matters.
        value: Of the change, more than 0.
        unit: UCUM code of ``value``, that of the metric; ``%`` where it is ``relative``.
        relative: Whether ``value`` is per cent of the earlier value.
        least: Of earlier values from here on; None: from the smallest.
        below: Of earlier values smaller than this; None: up to the largest.
        better: Which way is for the better, if the file says so.
        citation: Where it was published.
        note: What a reader has to know of it.
    """

    measure: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    protocol: str = ""
    kind: Kind
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: str
    relative: bool = False
    least: float | None = Field(None, allow_inf_nan=False)
    below: float | None = Field(None, allow_inf_nan=False)
    better: Literal["higher", "lower", "not said"] = "not said"
    citation: Words
    note: Annotated[str, StringConstraints(max_length=400)] = ""

    def is_about(self, measure: str, protocol: str, earlier: float) -> bool:
        """Whether it says something of a change from an earlier value, in sessions of a protocol."""
        wanted, found = read_protocol(self.protocol), read_protocol(protocol)
        fits = not self.protocol or (
            wanted.word == found.word and all(found.fields.get(key) == value for key, value in wanted.fields.items())
        )
        inside = (self.least is None or earlier >= self.least) and (self.below is None or earlier < self.below)
        return self.measure == measure and fits and inside


class BandFile(Section):
    """The figures for one group of patients.

    Attributes:
        group: Id by which it is chosen for a patient.
        population: In whom the figures were found.
        band: The figures.
    """

    group: Identifier
    population: Words
    band: list[Band] = Field(min_length=1)


def read_band_file(path: Path, units: Mapping[str, str]) -> BandFile:
    """Read one file; ``units`` holds the unit of each metric there is. Raises ConfigError."""
    try:
        data = plain_file.read(path, LARGEST_BYTES)
        if len(data) > LARGEST_BYTES:
            raise ConfigError([Problem(str(path), None, "is too large to be a band file")])
        text = data.decode()
        table = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            [Problem(str(path), None, f"cannot be read: {(error.strerror or str(error)).lower()}")]
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([Problem(str(path), None, f"is not TOML: {error}")]) from None
    lines = locate(text)
    try:
        found = BandFile.model_validate(table)
    except ValidationError as error:
        raise ConfigError(
            Problem(str(path), line_of(tuple(e["loc"]), lines), sentence(e, BandFile)) for e in error.errors()
        ) from None
    problems = [
        Problem(str(path), line_of(("band", i), lines), trouble)
        for i, band in enumerate(found.band)
        if (trouble := _misfit(band, units))
    ]
    if problems:
        raise ConfigError(problems)
    return found


def _misfit(band: Band, units: Mapping[str, str]) -> str:
    """Return what is wrong with a figure; empty if nothing is."""
    if band.measure not in units:
        return f"measure = '{band.measure}' is no metric of this program"
    wanted = "%" if band.relative else units[band.measure]
    if band.unit != wanted:
        return f"unit = '{band.unit}' of {band.measure} has to be '{wanted}'"
    if band.least is not None and band.below is not None and band.least >= band.below:
        return f"least = {band.least:g} of {band.measure} has to be smaller than below = {band.below:g}"
    return ""


def read_band_files(own: Iterable[Path], units: Mapping[str, str]) -> dict[str, BandFile]:
    """Read the shipped files and a site's own; return them by group. Raises ConfigError."""
    found: dict[str, BandFile] = {}
    for path in (*sorted(SHIPPED.glob("*.toml")), *own):
        made = read_band_file(path, units)
        if made.group in found:
            raise ConfigError([Problem(str(path), None, f"group = '{made.group}' is already another file's")])
        found[made.group] = made
    return found
