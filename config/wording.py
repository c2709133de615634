"""A validation error of pydantic, said to the person who wrote the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.lines import Path

_NEAR = 0.6  # of 1: how alike a word must be to be worth suggesting (difflib's own default)
_MISSPELT = 0.75  # two letters of four changed about: nearer than a newer program's name for something else
_IDENTIFIER_RULE = "must be lower-case letters, digits and hyphens, begin with a letter or digit, at most 32 long"
_AXES_RULE = "must be three sensor axes (forward, left, up) such as 'x y z' or '-x -y z'"

_SECRET = re.compile(r"pass|token|secret|credential|key(?!board)", re.IGNORECASE)
"""Keys whose values are shown to nobody: a person writes the secret itself where the name of its file belongs."""
_USER_INFO = re.compile(r"(//|^|')[^/@\s']*@")

_LIMITS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}
_TYPES = {
    "string_type": "must be text in quotes",
    "path_type": "must be a path in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "list_type": "must be a list in square brackets",
}


def dotted(path: Iterable[str | int]) -> str:
    """Return a path as people write it, without positions: ``slot.device.driver``."""
    return ".".join(part for part in path if isinstance(part, str))


def nearest(word: object, known: Iterable[str]) -> str:
    """Return what somebody may have meant by a word; empty where nothing is like it."""
    return next(iter(get_close_matches(str(word), sorted(known), n=1, cutoff=_NEAR)), "")


def suggestion(word: object, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?``, or what there is to choose from."""
    choices = sorted(known)
    if near := nearest(word, choices):
        return f"; did you mean '{near}'?"
    return f"; choose one of {', '.join(choices)}" if choices else ""


def is_misspelt(key: object, path: Iterable[str | int], table: Mapping[str, Any], model: type[BaseModel]) -> bool:
    """Whether a key that is no setting was to be one which its table lacks; ``path`` is that of the table."""
    lacking = [name for name in _fields(tuple(path), model) if name not in table]
    return bool(get_close_matches(str(key), lacking, n=1, cutoff=_MISSPELT))


def sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return one sentence that names the key and says what is wrong with it."""
    path: Path = tuple(error["loc"])
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    key = dotted(path)
    table = f"[{dotted(path[:-1])}]" if dotted(path[:-1]) else "the file"
    if kind == "missing":
        return f"{table} lacks '{path[-1]}': {_purpose(path, model)}"
    if kind == "extra_forbidden":
        return f"{key} is not a setting{suggestion(path[-1], _fields(path[:-1], model))}"
    if kind == "literal_error":
        return f"{key} = {shown(value, key)} is not known{suggestion(value, _choices(path, model))}"
    if kind == "list_type":
        return f"{key} must be written [[{key}]], because there can be many"
    return f"{key} = {shown(value, key)} {_rule(kind, context, error['msg'])}"


def without_password(text: str) -> str:
    """Return a text without what stands before the @ of an address in it."""
    return _USER_INFO.sub(r"\1…@", text)


def shown(value: object, key: str = "") -> str:
    """Return a value as it stands in the file, shortened; of a secret only that it is there."""
    if _SECRET.search(key) or isinstance(value, list | dict):
        return "…" if _SECRET.search(key) else "[...]" if isinstance(value, list) else "{...}"
    if isinstance(value, bool):
        return str(value).lower()
    text = without_password(repr(value))
    longest = 60
    return text if len(text) <= longest else f"{text[:longest]}..."


def _rule(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind == "string_pattern_mismatch":
        return _AXES_RULE if "xyz" in context["pattern"] else _IDENTIFIER_RULE
    if kind == "value_error":  # a rule of our own, which says it in our words
        return message.removeprefix("Value error, ")
    if kind == "string_too_long":
        return f"must be at most {context['max_length']} characters long"
    if kind == "string_too_short":
        return "must not be empty" if context["min_length"] == 1 else f"must be {context['min_length']} characters long"
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return f"{words} {context[name]:g}"
    return _TYPES.get(kind, f"is not valid: {message[0].lower()}{message[1:]}")


def table_model(path: Path, model: type[BaseModel]) -> type[BaseModel] | None:
    """Return the model of the table at ``path``, or None where there is none."""
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = None if field is None else section_of(field.annotation)
        if inner is None:
            return None
        model = inner
    return model


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside ``Model``, ``Model | None`` or ``list[Model]``; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {list, Union, UnionType}:
        return next((inner for arg in get_args(annotation) if (inner := section_of(arg))), None)
    return None


def _fields(path: Path, model: type[BaseModel]) -> Iterable[str]:
    table = table_model(path, model)
    return table.model_fields if table else ()


def _purpose(path: Path, model: type[BaseModel]) -> str:
    table = table_model(path[:-1], model)
    text = (table.model_fields[str(path[-1])].description or "") if table else ""
    return text.rstrip(".")


def _choices(path: Path, model: type[BaseModel]) -> Iterable[str]:
    if path and isinstance(path[-1], int):  # one of a list
        return _choices(path[:-1], model)
    table = table_model(path[:-1], model)
    return _words(table.model_fields[str(path[-1])].annotation) if table else ()


def _words(annotation: Any) -> Iterator[str]:
    """Yield the words of a Literal, wherever it stands in an annotation."""
    for inside in get_args(annotation):
        if get_origin(annotation) is Literal:
            yield str(inside)
        else:
            yield from _words(inside)
