"""Licences: each is one that fits, and the page says so."""

from __future__ import annotations

import sysconfig
from email.message import Message
from importlib.metadata import Distribution, PackageMetadata
from pathlib import Path
from typing import cast

import pytest

from installer import licences
from installer.contents import locked_distributions
from installer.debian import PROGRAMS

ROOT = Path(__file__).parents[2]
INSTALLED = locked_distributions(Path(sysconfig.get_path("purelib")))


class Described(Distribution):
    """A package of which there is only what it says of itself."""

    def __init__(self, **fields: str) -> None:
        self._said = Message()
        for key, value in {"Name": "some-package", **fields}.items():
            self._said[key.replace("_", "-")] = value

    @property
    def metadata(self) -> PackageMetadata:
        return cast("PackageMetadata", self._said)

    def read_text(self, filename: str) -> None:
        return None

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


def test_everything_in_the_package_has_a_licence_that_fits() -> None:
    assert licences.complaints(INSTALLED, PROGRAMS) == []


def test_the_page_is_that_of_what_is_locked() -> None:
    assert (ROOT / "docs/assurance/licences.md").read_text("utf-8") == licences.page(INSTALLED, PROGRAMS), (
        "run 'make docs'"
    )


def test_what_is_lgpl_is_said_on_the_page() -> None:
    page = licences.page(INSTALLED, PROGRAMS)
    lgpl = [d.metadata["Name"] for d in INSTALLED if "GPL" in (licences.licence_of(d) or "")]
    assert lgpl == ["libusb1"]
    assert "| libusb1 | LGPL-2.1-or-later |" in page
    assert "**libusb1**" in page


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("EPL-2.0 OR BSD-3-Clause", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-or-later", False),
        ("AGPL-3.0-only", False),
        ("MIT AND GPL-2.0-only", False),
        ("LGPL-2.1-or-later", False),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", False),
    ],
)
def test_of_a_choice_one_has_to_fit_and_of_a_sum_all(expression: str, *, fits: bool) -> None:
    assert licences.is_fitting(expression) is fits


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ({"License_Expression": "MIT AND ISC"}, "MIT AND ISC"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: BSD License"}, None),
        ({"License": "see the text"}, None),
        ({"Name": "PyUSB"}, "BSD-3-Clause"),
    ],
)
def test_a_licence_is_what_is_stated_or_was_read_and_never_guessed(said: dict[str, str], licence: str | None) -> None:
    assert licences.licence_of(Described(**said)) == licence


def test_a_new_package_that_nobody_has_looked_at_or_that_does_not_fit_is_a_complaint() -> None:
    assert licences.complaints([Described()], ()) == [
        "some-package: read its licence, and write it into installer/licences.py"
    ]
    assert licences.complaints([Described(License_Expression="AGPL-3.0-only")], ()) == [
        "some-package: AGPL-3.0-only does not fit"
    ]
