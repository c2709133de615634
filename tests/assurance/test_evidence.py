"""Evidence exists: each test that a page of assurance names is one that pytest collects."""

from __future__ import annotations

import pytest

from tests.assurance import evidence, hazards, pages


def everything_named() -> set[str]:
    """Return what the log and the pages name."""
    found = {name for hazard in hazards.load() for one in hazard.mitigation for name in one.proved_by}
    return found.union(*(evidence.named(path.read_text("utf-8")) for path in pages.FOLDER.glob("*.md")))


def test_everything_that_is_named_exists() -> None:
    found = everything_named()
    assert {kind: any(name.startswith(kind) for name in found) for kind in ("tests/", "faults:", "fuzz:")} == {
        "tests/": True, "faults:": True, "fuzz:": True,
    }  # fmt: skip
    assert sorted(name for name in found if not evidence.exists(name)) == []


def test_every_test_that_is_named_is_collected(request: pytest.FixtureRequest) -> None:
    """By pytest itself: a function with the right name in the wrong place is no test.

    Of the files that this run collects, which are all of them when all tests run; a run that picks single tests out of
    files shows nothing of it.
    """
    options = request.config.option
    picked = options.keyword or options.markexpr or any("::" in argument for argument in request.config.args)
    collected = {item.nodeid.partition("[")[0] for item in request.session.items}
    files = set() if picked else {name.partition("::")[0] for name in collected}
    named = sorted(name for name in everything_named() if name.partition("::")[0] in files)
    assert [name for name in named if "::" in name and name not in collected] == []


@pytest.mark.parametrize(
    "name",
    [
        "tests/assurance/test_evidence.py::test_that_there_is_not",
        "tests/assurance/test_nothing.py::test_it",
        "tests/assurance/test_evidence.py::everything_named",
        "faults:weather",
        "fuzz:decoder abacus",
        "docs/nothing.md",
    ],
)
def test_what_does_not_exist_is_found_out(name: str) -> None:
    assert evidence.named(f"see `{name}`.") == [name]
    assert not evidence.exists(name)


@pytest.mark.parametrize(
    "name",
    [
        "tests/assurance/test_evidence.py::test_what_does_not_exist_is_found_out", "faults:kills",
        "fuzz:decoder exo_frame", "docs/faults.md", "SECURITY.md", "tests/assurance",
    ],
)  # fmt: skip
def test_what_exists_is_found(name: str) -> None:
    assert evidence.named(f"see `{name}`, and `make test`") == [name]
    assert evidence.exists(name)
