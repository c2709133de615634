"""What a page may name as evidence: tests, rows of the fault matrix, targets of the fuzzer, files; whether they exist.

A test is named as pytest does (``tests/config/test_bands.py::test_a_file_is_read``), a row of the fault matrix as
``faults:kills``, a target of the fuzzer as ``fuzz:receipt``, a file or folder by its path from the top.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.faults.matrix import ROWS

ROOT = Path(__file__).parents[2]
TOP = "benchmarks|config|docs|drivers|dsp|gateway|importers|installer|requirements|simulators|tests"
PATH = re.compile(rf"(?:{TOP})/[\w./@-]*|[A-Z]+\.md|Makefile|pyproject\.toml|hatch_build\.py")
NAMED = re.compile(rf"`((?:{PATH.pattern})(?:::\w+)?|(?:faults|fuzz):[\w -]+)`")
"""What stands between backticks on a page and is one of these."""


def named(text: str) -> list[str]:
    """Return everything that a page names as evidence, in its order."""
    return NAMED.findall(text)


def exists(name: str) -> bool:
    """Whether there is such a test, row, target, file or folder."""
    kind, _, rest = name.partition(":")
    if kind == "faults":
        return rest in {row.name for row in ROWS}
    if kind == "fuzz":
        return rest in _targets()
    path, _, test = name.partition("::")
    return (ROOT / path).exists() and (not test or test in _tests(ROOT / path))


def is_proof(name: str) -> bool:
    """Whether it is something that runs and may fail, by its name: a test, a row or a target."""
    return name.startswith(("faults:", "fuzz:")) or bool(re.match(r"tests/\S+\.py::test_\w+$", name))


@cache
def _tests(path: Path) -> frozenset[str]:
    """Return the tests that stand in a file by themselves; ``test_evidence`` compares with what pytest collects."""
    body = ast.parse(path.read_text("utf-8")).body
    found = (node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in found if name.startswith("test_"))


@cache
def _targets() -> frozenset[str]:
    from tests.fuzz.everything import targets  # loads every decoder

    return frozenset(targets())
