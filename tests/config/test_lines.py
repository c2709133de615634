"""Every key of a TOML file is found on the line where it stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.lines import Path, line_of, locate


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of everything in decoded TOML."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from paths(inner, (*path, position))


DOCUMENT = (
    '''\
# a comment = "with [brackets]"
top = 1

[a.b]                # 4
"quoted key" = """
two
lines # not a comment
"""
'it''s' = 1
'''.replace("'it''s' = 1\n", "'literal' = '#]'   # 9\n")
    + """\
c . d = [            # 10
  1,                 # 11
  "x,]",
  { e = 3, f = [4] } # 13
]
[[slot]]             # 15
id = "one"
[[slot.device]]
id = "first"
[[slot.device]]
id = "second"        # 20
[slot.device.options]
rate = 60
[[slot]]             # 23
id = "two"
device = [{ id = "third" }]
"""
)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("a", "b"), 4),
        (("a", "b", "quoted key"), 5),
        (("a", "b", "literal"), 9),
        (("a", "b", "c", "d"), 10),
        (("a", "b", "c", "d", 0), 11),
        (("a", "b", "c", "d", 2, "f", 0), 13),
        (("slot", 0, "id"), 16),
        (("slot", 0, "device", 0, "id"), 18),
        (("slot", 0, "device", 1), 19),
        (("slot", 0, "device", 1, "id"), 20),
        (("slot", 0, "device", 1, "options", "rate"), 22),
        (("slot", 1), 23),
        (("slot", 1, "device", 0, "id"), 25),
    ],
)
def test_each_kind_of_key_is_found(path: Path, line: int) -> None:
    assert locate(DOCUMENT)[path] == line


def test_nothing_of_a_document_is_missed() -> None:
    lines = locate(DOCUMENT)
    assert [path for path in paths(tomllib.loads(DOCUMENT)) if path not in lines] == []


def test_windows_line_ends_count_once() -> None:
    assert locate("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


def test_what_is_not_written_is_where_it_would_be() -> None:
    lines = locate(DOCUMENT)
    assert line_of(("slot", 1, "subject"), lines) == 23
    assert line_of(("site", "name"), lines) is None


texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = st.integers(-9, 9) | st.booleans() | texts
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)

rows = st.dictionaries(texts, values, max_size=3)


def written(value: Any, breaks: str) -> str:
    """Write a value as TOML, with ``breaks`` between the elements of arrays."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"[{breaks}" + f",{breaks}".join(written(inner, breaks) for inner in value) + f"{breaks}]"
    if isinstance(value, dict):
        pairs = (f"{quoted(key)} = {written(inner, '')}" for key, inner in value.items())
        return "{" + ", ".join(pairs) + "}"
    return str(value)


def quoted(text: str) -> str:
    """Write a basic string: everything but plain ASCII escaped."""
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + '"'


@given(
    tables=st.dictionaries(texts, st.lists(rows, min_size=1, max_size=3), max_size=3),
    breaks=st.sampled_from(["", " ", "\n", " # ,]}\n", "\r\n\t"]),
)
def test_any_document_is_found_whole(tables: dict[str, list[dict[str, Any]]], breaks: str) -> None:
    """Every path that tomllib gives has a line, and each key of an array of tables has its own."""
    text = ""
    expected: dict[Path, int] = {}
    for name, rows in tables.items():
        for position, row in enumerate(rows):
            text += f"[[ {quoted(name)} ]]{breaks if '#' in breaks else ''}\n"
            for key, value in row.items():
                expected[name, position, key] = text.count("\n") + 1
                text += f"{quoted(key)} = {written(value, breaks)}\n"
    lines = locate(text)
    assert {path: lines[path] for path in expected} == expected
    assert [path for path in paths(tomllib.loads(text)) if path not in lines] == []
