"""docs/configuration.md, made from the settings themselves: ``python -m config.reference`` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.settings import Section, Settings
from config.wording import section_of

_INTRODUCTION = """\
# Configuration

One TOML file says everything that a site decides. `rehab-gateway check FILE` reads it as `run` would and starts
nothing; every mistake is one sentence with the file, the line and the key.

- Start from a file in `config/examples/`: `ward.toml`, `external-broker.toml`, `influxdb.toml`, `postgresql.toml`,
  `demo.toml`.
- Relative paths are relative to the folder of the file, so that the gateway, the historian and the dashboard meet
  in the same place wherever each is started from. `~` is the home folder. Without a file they are relative to the
  working folder.
- Passwords and tokens stand in files of their own, never in this one.
- An unknown key is an error for `check`. What runs leaves it out with a word in its log, since the file may be that of
  a newer version; but a key that looks like a setting which its table lacks is misspelt, and nothing starts with it.
- An *id* is lower-case letters, digits and hyphens, at most 32 of them.
- `subject` is a pseudonym. A value with the form of an NHS number is refused.

This page is made from `config/settings.py` by `make docs`; a test fails when the two differ.
"""

_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    dict: "table",
    list: "list of texts",
}
_SIGNS = {Ge: ("ge", "≥"), Gt: ("gt", ">"), Le: ("le", "≤"), Lt: ("lt", "<")}


def page() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION, *_sections(Settings, (), "Top of the file")]
    return "\n".join(parts)


def _sections(model: type[Section], path: tuple[str, ...], heading: str) -> Iterator[str]:
    """Yield a model's own settings as a table, then the tables inside it."""
    inner = {name: found for name, field in model.model_fields.items() if (found := section_of(field.annotation))}
    rows = [_row(name, field) for name, field in model.model_fields.items() if name not in inner]
    yield f"## {heading}\n"
    if path:
        yield f"{(model.__doc__ or '').strip()}\n"
    else:
        yield "These stand before the first table.\n"
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    yield "\n".join(rows) + "\n"
    for name, found in inner.items():
        if issubclass(found, Section):
            dotted = ".".join((*path, name))
            many = get_origin(model.model_fields[name].annotation) is list
            yield from _sections(found, (*path, name), f"`[[{dotted}]]`" if many else f"`[{dotted}]`")


def _row(name: str, field: FieldInfo) -> str:
    cells = (f"`{name}`", _value(field), _default(field), field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _value(field: FieldInfo) -> str:
    """Return what may stand there, in words."""
    kinds = get_args(field.annotation)
    kind: Any = next(k for k in kinds if k is not NoneType) if NoneType in kinds else field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f'`"{choice}"`' for choice in get_args(kind))
    if get_origin(kind) is list:
        return "list of ids"
    limits = list(field.metadata)
    if get_origin(kind) is Annotated:  # an id that need not be there
        kind, *more = get_args(kind)
        limits += more
    word = _WORDS[get_origin(kind) or kind]
    for limit in limits:
        if isinstance(limit, StringConstraints):
            return "three axes" if "xyz" in str(limit.pattern) else "id"
        if type(limit) in _SIGNS:
            name, sign = _SIGNS[type(limit)]
            word += f", {sign} {getattr(limit, name):g}"
    return word


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value: Any = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value in (None, "", {}, []):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str | Path) else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(page())
