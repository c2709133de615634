"""The pages of docs/assurance: what they claim has evidence, what they name exists, their counts are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.assurance import evidence, pages
from tests.assurance.pages import FOLDER, PAGES, STATES, Line

ALL = sorted(FOLDER.glob("*.md"))
LOOKS_LIKE_ONE = re.compile(r"(?:\btests/[\w/]+\.py(?:::\w+)?|\b(?:faults|fuzz):[a-z])")


def read(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_everything_that_a_page_names_exists(path: Path) -> None:
    assert [name for name in evidence.named(path.read_text("utf-8")) if not evidence.exists(name)] == []


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_nothing_is_named_in_a_way_that_is_not_looked_up(path: Path) -> None:
    """Evidence stands between backticks, by itself: what is written otherwise would never be missed."""
    text = path.read_text("utf-8")
    without = evidence.NAMED.sub("", text)
    assert [line for line in without.splitlines() if LOOKS_LIKE_ONE.search(line)] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_line_stands_in_one_of_the_known_ways(name: str) -> None:
    lines = pages.lines(FOLDER / name)
    assert len(lines) >= 10
    assert [line.cells[0] for line in lines if line.state not in STATES] == []


@pytest.mark.parametrize("name", PAGES)
def test_what_is_claimed_has_evidence(name: str) -> None:
    """'done' names what exists, or leads to a page; 'not done' claims no test."""
    without, with_a_test = [], []
    for line in pages.lines(FOLDER / name):
        text = " ".join(line.cells)
        if line.state == "done" and not evidence.named(text) and "](" not in text:
            without.append(line.cells[0])
        if line.state == "not done" and any(map(evidence.is_proof, evidence.named(text))):
            with_a_test.append(line.cells[0])
    assert (without, with_a_test) == ([], [])


def test_every_threat_has_a_number_of_its_own_and_every_flow_its_threats() -> None:
    lines = pages.lines(FOLDER / "threat-model.md")
    numbers = [line.cells[0] for line in lines]
    assert len(numbers) == len(set(numbers))
    assert {number[0] for number in numbers} == set("DBHSWFULK")
    assert {letter for line in lines for letter in re.findall(r"[A-Z]", line.cells[1])} == set("STRIDE")


def test_every_provision_of_the_baseline_is_there() -> None:
    """How many provisions each chapter of EN 303 645 (2.1.1) has."""
    chapters = {"5.1": 5, "5.2": 3, "5.3": 16, "5.4": 4, "5.5": 8, "5.6": 9, "5.7": 2, "5.8": 3, "5.9": 3, "5.10": 1,
                "5.11": 4, "5.12": 3, "5.13": 1, "6": 5}  # fmt: skip
    listed = [name for line in pages.lines(FOLDER / "en-303-645.md") for name in line.cells[0].split(", ")]
    assert listed == [f"{chapter}-{number}" for chapter, n in chapters.items() for number in range(1, n + 1)]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_what_is_made_on_a_page_is_up_to_date(path: Path) -> None:
    text = path.read_text("utf-8")
    assert pages.with_made_parts(text) == text, "run 'make docs'"


def test_the_first_page_counts_what_is_not_done_and_leads_to_every_page() -> None:
    first = read("README.md")
    assert pages.counts() in first
    assert [path.name for path in ALL if path.name != "README.md" and f"]({path.name})" not in first] == []


def test_nobody_is_said_to_have_signed() -> None:
    """Until somebody has: then this test, and the page, name them."""
    assert "No Clinical Safety Officer has been appointed" in read("safety-case.md")
    assert "Nobody with the training that the standard asks for has looked at it" in read("hazards.md")


def test_lines_are_read_from_tables_with_a_state_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "| a | state |\n| --- | --- |\n| one \\| two | done |\n\n| a | b |\n| --- | --- |\n| three | done |\n", "utf-8"
    )
    assert pages.lines(page) == [Line(("one \\| two", "done"))]
