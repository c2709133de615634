"""The house keeps its sizes: what is too large is named below with its present size, and only shrinks.

A number that has become smaller is made smaller here too, and a line that is needed no more goes: the tests fail until
that is done, and say which line to write. What is counted, and how, stands in `tests.sizes`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import sizes

LONG_FILES: dict[str, int] = {}

LONG_FUNCTIONS: dict[str, int] = {}

LARGE_CLASSES: dict[str, int] = {}

REACHES_OF_THE_PRODUCT = {
    "dsp/kernel.py": 1,
    "dsp/kernel_cache.py": 1,
}
"""numba has no other place to say where compiled code is kept."""

REACHES_OF_TESTS: dict[str, int] = {}

LETTERS_OF_KERNELS: dict[str, int] = {}

ANY_IN_KERNELS: dict[str, int] = {}


def complaints(found: Mapping[str, int], exceptions: Mapping[str, int], most: int) -> list[str]:
    """Return what is larger than it may be, and which exceptions are larger than what they are for."""
    grown = [
        f"{name}: {n}, and may be {exceptions.get(name, most)}"
        for name, n in found.items()
        if n > exceptions.get(name, most)
    ]
    shrunk = [
        f'"{name}": {found[name]},' if found.get(name, 0) > most else f'"{name}" needs no line any more'
        for name, allowed in exceptions.items()
        if found.get(name, 0) < allowed or allowed <= most
    ]
    return sorted(grown + shrunk)


def test_files_are_short() -> None:
    assert complaints(sizes.lines_of_files(), LONG_FILES, sizes.MOST_LINES_OF_A_FILE) == []


def test_functions_are_short() -> None:
    assert complaints(sizes.lines_of_functions(), LONG_FUNCTIONS, sizes.MOST_LINES_OF_A_FUNCTION) == []


def test_classes_do_one_thing() -> None:
    assert complaints(sizes.methods_of_classes(), LARGE_CLASSES, sizes.MOST_METHODS) == []


def test_no_module_reaches_into_another() -> None:
    assert complaints(sizes.reaches(sizes.product()), REACHES_OF_THE_PRODUCT, 0) == []


def test_no_test_reaches_into_the_product() -> None:
    assert complaints(sizes.reaches(sizes.sources(sizes.TESTS)), REACHES_OF_TESTS, 0) == []


def test_parameters_of_kernels_have_names() -> None:
    assert complaints(sizes.letters_of_kernels(), LETTERS_OF_KERNELS, 0) == []


def test_parameters_of_kernels_have_types() -> None:
    assert complaints(sizes.any_in_kernels(), ANY_IN_KERNELS, 0) == []


def test_signal_processing_is_named_in_words_of_the_field() -> None:
    assert [name for name in sizes.old_words() if name.startswith(("dsp/", "tests/dsp/"))] == []


def test_imports_go_round_in_no_circle() -> None:
    assert sizes.import_circles() == []


def test_what_grows_and_what_shrinks_is_reported() -> None:
    found = {"same": 50, "grown": 61, "shrunk": 45, "short": 12, "new": 41, "small": 40}
    exceptions = {"same": 50, "grown": 60, "shrunk": 46, "short": 50, "gone": 70}
    assert complaints(found, exceptions, 40) == [
        '"gone" needs no line any more',
        '"short" needs no line any more',
        '"shrunk": 45,',
        "grown: 61, and may be 60",
        "new: 41, and may be 40",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("box._rows", ["_rows"]),
        ("box.file._rows = 1", ["_rows"]),
        ("from gateway.outbox import _rows", ["_rows"]),
        ("setattr(box, '_rows', 1)", ["_rows"]),
        ("monkeypatch.setattr(box, '_rows', 1)", ["_rows"]),
        ("class A:\n    def f(self, other):\n        return self._rows", []),  # its own, or inherited
        ("class A:\n    def f(self, other):\n        self._rows = other._rows", []),  # of another of its kind
        ("class A:\n    __slots__ = ('_rows',)\ndef f(a):\n    return a._rows", []),
        ("row._replace(seq=1)", []),
        ("box.__dict__", []),
    ],
)
def test_a_private_reach_is_found(source: str, expected: list[str]) -> None:
    assert sizes.private_reaches(ast.parse(source)) == expected


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"e"}}
    assert sizes.circles(graph) == [["e"], ["a", "b", "c"]]


def test_imports_for_types_and_within_functions_count(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    source = "if TYPE_CHECKING:\n    from house.b import B\ndef f():\n    import house.c\nfrom . import d\n"
    path.write_text(source, "utf-8")
    known = {f"house.{name}": path for name in "abcde"}
    assert sizes.imported("house.a", path, known) == {"house.b", "house.c", "house.d"}
