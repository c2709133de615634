"""A configuration file to ``Settings``, or to sentences that say where it is wrong."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config import plain_file
from config.checks import Drivers, check, ports
from config.errors import ConfigError, Problem
from config.hand_text import NotTextError, text_of
from config.hardware import is_usb_name
from config.lines import Path as Key
from config.lines import locate
from config.secret import located
from config.settings import Section, Settings
from config.wording import is_misspelt, sentence

LARGEST_BYTES = 1_000_000  # a ward of 70 beds takes about 60 kB: more is some other file, named by mistake

PARTS_FOLDER = ".d"
"""What follows a file's name in the folder of its parts: those of ``ward.toml`` lie in ``ward.toml.d``."""

_TOML_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|(?P<end>end of document))\)$")
_S = TypeVar("_S", bound=Section)


def load(
    path: str | Path,
    drivers: Drivers | None = None,
    *,
    on_unknown: Callable[[Problem], None] | None = None,
    trial: tuple[str, str] | None = None,
) -> Settings:
    """Read and check a configuration file and its parts. Nothing is opened, created or started.

    The parts are the TOML files in the folder beside it (``ward.toml.d``), in the order of their names: what one says
    goes before what was said, key by key. Programs write there, and leave the file itself to people.

    Relative paths in the file, and the default of ``site.data``, are relative to the folder of the file: the
    gateway, the historian and the dashboard then meet in the same place, wherever each is started from.

    Args:
        path: The TOML file.
        drivers: The drivers there are; None leaves the names and options of drivers unchecked.
        on_unknown: Told of each key that is no setting, and looks like none, which is then left out: the file may
            be that of a newer program. None makes it a mistake like any other.
        trial: Name and text of a part that is tried, in the place of the one of its name.

    Returns:
        Settings whose paths are all absolute.

    Raises:
        ConfigError: with one sentence for everything that is wrong.
    """
    path = Path(path)
    sources = _sources(path, trial)
    table: dict[str, Any] = {}
    for source in sources:
        table = _merged(table, source.table)
    settings = _settings(table, sources, on_unknown)
    found = _at_its_place(settings, path)
    findings = [*check(settings, drivers)] or [*ports(found)]
    if findings:
        raise ConfigError(_problem(sources, key, text) for key, text in findings)
    return found


def _at_its_place(settings: Settings, path: Path) -> Settings:
    try:
        return anchored(settings, path.resolve().parent)
    except RuntimeError:  # from expanduser
        words = "a path begins with ~, and this user has no home folder: write the whole path"
        raise ConfigError([Problem(str(path), None, words)]) from None


def _settings(
    table: dict[str, Any], sources: Sequence[_Source], on_unknown: Callable[[Problem], None] | None
) -> Settings:
    try:
        if on_unknown:
            for unknown in _leave_out_unknown(table):
                on_unknown(_problem(sources, tuple(unknown["loc"]), f"{sentence(unknown, Settings)}: left out"))
        return Settings.model_validate(table)
    except ValidationError as error:
        raise ConfigError(_problem(sources, tuple(e["loc"]), sentence(e, Settings)) for e in error.errors()) from None


def _leave_out_unknown(table: dict[str, Any]) -> Sequence[ErrorDetails]:
    """Take the keys of a newer program out of a table; return what pydantic said of each.

    One that is misspelt stays, and so is a mistake: without its ``ca_file`` a link is open, without its
    ``affected_side`` a patient is measured by a guess.
    """
    left_out = []
    try:
        Settings.model_validate(table)
    except ValidationError as error:
        for found in error.errors():
            *way, key = found["loc"]
            place: Any = table
            for step in way if found["type"] == "extra_forbidden" else ():
                place = place[step]
            if found["type"] == "extra_forbidden" and not is_misspelt(key, way, place, Settings):
                del place[key]
                left_out.append(found)
    return left_out


@dataclass(frozen=True, slots=True)
class _Source:
    """A file, or a part of it: what it says, and on which line."""

    path: Path
    table: dict[str, Any]
    lines: Mapping[Key, int]


def _sources(path: Path, trial: tuple[str, str] | None) -> list[_Source]:
    folder = path.parent / f"{path.name}{PARTS_FOLDER}"  # also of ".", which has no name
    texts = {path: _text(path)}
    names = {*_parts(folder), *(trial[:1] if trial else ())}
    for name in sorted(names):
        texts[folder / name] = trial[1] if trial and name == trial[0] else _text(folder / name)
    return [_Source(where, _table(where, text), locate(text)) for where, text in texts.items()]


def _parts(folder: Path) -> list[str]:
    """Return the names of the parts; raises ConfigError where they cannot be listed: what they say would be missing.

    A hidden file is an editor's.
    """
    try:
        names = [part.name for part in folder.iterdir()]
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        hint = f"is no folder: the parts of {folder.name.removesuffix(PARTS_FOLDER)} belong into a folder of this name"
    except PermissionError:
        hint = "may not be read by this user, and what its parts say would be missing: see 'ls -ld' on it"
    except OSError as error:
        hint = f"cannot be read: {error.strerror}"
    else:
        return [name for name in names if name.endswith(".toml") and not name.startswith(".")]
    raise ConfigError([Problem(str(folder), None, hint)])


def _merged(table: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return a table with what another says in the place of its own; lists are replaced whole."""
    both = {key: _merged(table[key], more[key]) for key in more if _are_tables(table.get(key), more[key])}
    return {**table, **more, **both}


def _are_tables(one: object, other: object) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def _problem(sources: Sequence[_Source], key: Key, text: str) -> Problem:
    """Return a problem of a key, with the file that says it last."""
    for length in range(len(key), 0, -1):
        for source in reversed(sources):
            if key[:length] in source.lines:
                return Problem(str(source.path), source.lines[key[:length]], text)
    return Problem(str(sources[0].path), None, text)


def anchored(settings: _S, folder: Path) -> _S:
    """Return the settings with every relative path below ``folder``, and ``~`` expanded."""
    return settings.model_copy(update={name: _anchor(value, folder) for name, value in settings})


def _anchor(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        if is_usb_name(value):
            return value
        return Path(os.path.normpath(folder / located(value).expanduser()))
    if isinstance(value, Section):
        return anchored(value, folder)
    if isinstance(value, list):
        return [_anchor(item, folder) for item in value]
    return value


def _text(path: Path) -> str:
    try:
        data = plain_file.read(path, LARGEST_BYTES, or_pipe=True)
        if len(data) > LARGEST_BYTES:
            raise ConfigError([Problem(str(path), None, "is too large to be a configuration file")])
        return text_of(data).replace("\r\n", "\n")
    except FileNotFoundError:
        hint = "there is no such file; config/examples has some to start from"
    except IsADirectoryError:
        hint = "is a folder: name the TOML file in it"
    except PermissionError:
        hint = "may not be read by this user: see 'ls -l' on it"
    except NotTextError as error:
        raise ConfigError([Problem(str(path), error.line, str(error))]) from None
    except OSError as error:
        hint = f"cannot be read: {error.strerror}"
    raise ConfigError([Problem(str(path), None, hint)])


def _table(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError([Problem(str(path), None, "has brackets inside brackets without end")]) from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = _TOML_POSITION.search(message)
        line = None
        if position:
            message = message[: position.start()]
            line = int(position["line"]) if position["line"] else text.count("\n") + 1
        raise ConfigError([Problem(str(path), line, f"is not TOML: {message[0].lower()}{message[1:]}")]) from None
