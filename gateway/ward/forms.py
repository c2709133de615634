"""Forms that patients answer, as files: what is asked, and the number of each answer. Nothing of a form is in the code.

The texts of most questionnaires are somebody's: a ward that may use one puts it into a file of its own. One TOML file a
form, in the folder beside this file or in ``dashboard.forms_folder``:

    id = "five-questions"
    version = 1
    title = "Five questions"
    [[item]]
    id = "walking"
    text = "Walking about"
    answers = [{ value = 1, text = "no trouble" }, { value = 2, text = "some trouble" }]
    [[item]]
    id = "health"
    text = "Health today"
    low = 0
    high = 100
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from config.settings import Section
from gateway.ward.refusals import refused

log = logging.getLogger(__name__)

OURS: Final = Path(__file__).parent / "forms"
LARGEST: Final = 64 * 1024  # bytes of a file: hundreds of questions
MOST: Final = 100  # files of a folder

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Answer(Section):
    """One of the answers of an item: its number, and its words."""

    value: float
    text: Text


class Item(Section):
    """One question: with answers to choose from, or a number from ``low`` to ``high``."""

    id: Id
    text: Text
    answers: list[Answer] = Field(default_factory=list, max_length=20)
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.answers) == (self.low is not None and self.high is not None):
            raise ValueError("an item has answers, or low and high")
        if any(value < 0 for value in (*(answer.value for answer in self.answers), self.low or 0, self.high or 0)):
            raise ValueError("numbers of answers are 0 or more")
        return self

    def refuse(self, form: str, value: float) -> None:
        """Raise RefusedError for a number that is no answer."""
        numbers = [answer.value for answer in self.answers]
        if numbers and value not in numbers:
            raise refused(
                "form_choice", form=form, item=self.id, value=value, known=", ".join(f"{one:g}" for one in numbers)
            )
        if self.low is not None and self.high is not None and not self.low <= value <= self.high:
            raise refused("form_number", form=form, item=self.id, value=value, low=self.low, high=self.high)


class Form(Section):
    """A form: its version changes with every change of what its numbers mean."""

    id: Id
    version: int = Field(ge=1, le=9999)
    title: Text
    note: str = ""
    item: list[Item] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _items_differ(self) -> Self:
        if len({item.id for item in self.item}) < len(self.item):
            raise ValueError("two items have one id")
        return self

    def refuse(self, version: int, answers: Mapping[str, float]) -> None:
        """Raise RefusedError for answers to another version, to no question of it, and of other numbers."""
        if version != self.version:
            raise refused("form_version", form=self.id, version=version, known=self.version)
        items = {item.id: item for item in self.item}
        for name, value in answers.items():
            if name not in items:
                raise refused("form_item", form=self.id, item=name, known=", ".join(items))
            items[name].refuse(self.id, value)


def read_forms(*folders: Path | None) -> tuple[list[Form], list[str]]:
    """Return the forms of folders by their ids, and in a sentence each what cannot be read."""
    found: dict[str, Form] = {}
    problems: list[str] = []
    for path in _files(folders):
        try:
            form = _read(path)
        except (OSError, ValueError, ValidationError) as error:
            problems.append(f"{path.name} cannot be used as a form: {_words(error)}.")
            log.warning("%s cannot be used as a form: %s", path, error)
            continue
        found[form.id] = form
    return sorted(found.values(), key=lambda form: form.title), problems


def _files(folders: tuple[Path | None, ...]) -> Iterator[Path]:
    for folder in folders:
        if folder is not None:
            yield from sorted(folder.glob("*.toml"))[:MOST]


def _read(path: Path) -> Form:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"larger than {LARGEST} bytes")
    fields: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    return Form.model_validate(fields)


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".lstrip(": ")
    return str(error)
