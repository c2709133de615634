"""Words for people in the source: the reasons that the analysis gives for a doubt, and what errors of links say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROOMS = ("dsp", "gateway/analysis")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
LINK_ERRORS = r"(NotFound|AmbiguousDevice|OtherDevice|Connect|LinkLost|SilentStream|Dialogue|Adapter)Error"
OTHERS = re.compile(
    r".*_metrics|catalogue|metric|units|limits|roster|kernel_cache|arrays|modality|modalities|motions|known_drivers"
    r"|warm_up|needs|operators|batch"
)
"""Files of names, of checks of arguments, and of the computer: no reason of a number is made there."""


def template(words: str) -> str:
    """Return what a language file has a reason under: each number in it is {n}."""
    return NUMBER.sub("{n}", words)


def written(path: Path) -> Iterator[str]:
    """Yield the strings of a file that are neither docstrings nor words of errors and logs; what is filled in is {}."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {id(part) for node in ast.walk(tree) if _is_other(node) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node)}
            yield "".join(_filled(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _filled(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "{}"


def _is_other(node: ast.AST) -> bool:
    """Whether words stand here that are no reason: a docstring, an error, a line of the log, an exception's text."""
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return True
    called = node.func if isinstance(node, ast.Call) else None
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return name in {"error", "warning", "info", "exception", "debug", "require_rate"}


def reasons() -> set[str]:
    """Return them all, as the source writes them."""
    found: set[str] = set()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if not OTHERS.fullmatch(path.stem):
                found |= {one for one in written(path) if " " in one and re.search("[a-z]{2}", one.replace("{}", ""))}
    return found


def raised(path: Path) -> Iterator[str]:
    """Yield what the errors of a file say that go to whoever looks at a device; what is filled in is {}."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and re.fullmatch(LINK_ERRORS, called.id) and isinstance(node, ast.Call):
            words = node.args[0] if node.args else None
            if isinstance(words, ast.JoinedStr):
                yield "".join(_filled(part) for part in words.values)
            elif isinstance(words, ast.Constant):
                yield str(words.value)
