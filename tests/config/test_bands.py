"""Band files: what is read, what is refused with its line, and what the shipped ones cite."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.bands import Band, read_band_file, read_band_files
from config.errors import ConfigError

UNITS = {"tmwt10_speed": "m/s", "cadence": "{steps}/min"}
RIGHT = """group = "knees"
population = "Knee replacement"

[[band]]
measure = "tmwt10_speed"
kind = "MDC"
value = 0.1
unit = "m/s"
citation = "Somebody 2020"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "bands.toml"
    path.write_text(text)
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    found = read_band_file(write(tmp_path, RIGHT), UNITS)
    assert (found.group, found.population, found.band[0].value) == ("knees", "Knee replacement", 0.1)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (RIGHT.replace("tmwt10_speed", "nothing"), 4, "measure = 'nothing' is no metric of this program"),
        (RIGHT.replace('"m/s"', '"km/h"'), 4, "unit = 'km/h' of tmwt10_speed has to be 'm/s'"),
        (RIGHT + "relative = true\n", 4, "unit = 'm/s' of tmwt10_speed has to be '%'"),
        (RIGHT + "least = 0.8\nbelow = 0.4\n", 4, "least = 0.8 of tmwt10_speed has to be smaller than below = 0.4"),
        (RIGHT.replace("0.1", "-0.1"), 7, "greater than 0"),
        (RIGHT.replace('"MDC"', '"MDX"'), 6, "band.kind"),
        (RIGHT.replace('citation = "Somebody 2020"\n', ""), 4, "citation"),
        (RIGHT + 'cite = "x"\n', 10, "cite"),
        ("group = ", None, "is not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_band_file(write(tmp_path, text), UNITS)
    problem = refused.value.problems[0]
    assert words in problem.sentence
    assert problem.line == line


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        read_band_file(tmp_path / "none.toml", UNITS)


def test_the_example_of_the_docs_is_a_band_file(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/reports.md").read_text("utf-8")
    example = page.partition("```text\n")[2].partition("```")[0]
    assert read_band_file(write(tmp_path, example), UNITS).group == "our-knees"


def test_a_group_is_of_one_file(tmp_path: Path) -> None:
    from dsp.catalogue import METRICS

    units = {metric.id: metric.unit for metric in METRICS}
    shipped = read_band_files([], units)
    assert len(shipped) == 9
    assert all(band.citation and band.value > 0 for file in shipped.values() for band in file.band)
    own = write(tmp_path, RIGHT.replace("knees", "stroke-chronic"))
    with pytest.raises(ConfigError, match="group = 'stroke-chronic' is already another file's"):
        read_band_files([own], units)


@pytest.mark.parametrize(
    ("protocol", "earlier", "expected"),
    [
        ("10mwt pace=comfortable", 0.4, True),
        ("10mwt start=static pace=comfortable", 0.79, True),
        ("10mwt pace=fast", 0.5, False),
        ("10mwt", 0.5, False),  # nobody has said at which pace
        ("10mwt pace=comfortable", 0.8, False),
        ("10mwt pace=comfortable", 0.39, False),
    ],
)
def test_a_figure_is_about_its_protocol_and_its_stratum(protocol: str, earlier: float, *, expected: bool) -> None:
    band = Band(
        measure="tmwt10_speed", protocol="10mwt pace=comfortable", kind="MDC", value=0.15, unit="m/s", least=0.4,
        below=0.8, citation="Somebody 2020",
    )  # fmt: skip
    assert band.is_about("tmwt10_speed", protocol, earlier) is expected
    assert not band.is_about("cadence", protocol, earlier)
