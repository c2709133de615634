"""Answers to the questions of a set-up: from a file, from a person, or by default; whole and checked, or refused."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from config import plain_file
from config.errors import ConfigError, Problem
from config.hand_text import NotTextError, text_of
from config.lines import line_of, locate
from config.wording import suggestion
from gateway.installation.setup_questions import KEYS, QUESTIONS, Answers, Question

LARGEST_BYTES = 100_000


def read_answers(path: Path) -> dict[str, str]:
    """Return the answers of a file; raises ConfigError with file, line and key for everything that is wrong."""
    try:
        data = plain_file.read(path, LARGEST_BYTES, or_pipe=True)
        if len(data) > LARGEST_BYTES:
            raise ConfigError([Problem(str(path), None, "is too large to be a file of answers")])
        text = text_of(data)
        table = tomllib.loads(text)
    except OSError as error:
        raise ConfigError([Problem(str(path), None, f"cannot be read: {error.strerror}")]) from None
    except (NotTextError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([Problem(str(path), None, f"is not TOML: {error}")]) from None
    lines = locate(text)
    problems, answers = [], {}
    for key, value in _flat(table):
        at = line_of(tuple(key.split(".")), lines)
        if key not in KEYS:
            problems.append(Problem(str(path), at, f"'{key}' is not asked{suggestion(key, KEYS)}"))
        elif (answer := _as_text(value)) is None:
            problems.append(Problem(str(path), at, f"{key} is a text, a number or a list of texts"))
        else:
            answers[key] = answer
    if problems:
        raise ConfigError(problems)
    try:
        return complete(answers)
    except AnswerError as error:
        at = line_of(tuple(error.key.split(".")), lines)
        raise ConfigError([Problem(str(path), at, f"{error.key}: {error.sentence}")]) from None


class AnswerError(ValueError):
    """An answer that will not do."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(f"{key}: {sentence}")
        self.key, self.sentence = key, sentence


def complete(given: Answers, ask: Callable[[Question, str, Answers], str] | None = None) -> dict[str, str]:
    """Return an answer to every question that applies: what was given, or what somebody says, or the default.

    Args:
        given: What is known before.
        ask: Asks somebody: the question, its default, and what was answered so far.

    Raises:
        AnswerError: An answer will not do.
    """
    answers: dict[str, str] = {}
    for question in QUESTIONS:
        if not question.applies(answers):
            continue
        default = question.default(answers)
        if question.key in given:
            answer = given[question.key]
        else:
            answer = default if ask is None else ask(question, default, answers)
        if trouble := question.trouble(answer, answers):
            raise AnswerError(question.key, trouble)
        answers[question.key] = answer
    return answers


def example() -> str:
    """Return a file of answers with every question in it, as it would be answered by default."""
    lines = [
        "# Answers for: rehab-gateway setup --answers FILE. Whatever is left out is answered by its default.",
        "# A line that begins with # is not read: take the # away where you want another answer.",
    ]
    table, answers = "", dict[str, str]()
    for question in QUESTIONS:
        head, _, key = question.key.partition(".")
        if head != table:
            table = head
            lines += ["", f"[{table}]"]
        default = question.default(answers)
        answers[question.key] = default
        lines.append(f"# {question.ask} {question.why}")
        if question.choices:
            lines += [f"#   {choice}{f': {means}' if means else ''}" for choice, means in question.choices.items()]
        if question.only_if:
            lines.append(f"#   Only where {question.only_if[0]} is {' or '.join(question.only_if[1])}.")
        lines.append(f'#{key} = "{default}"')
    return "\n".join(lines) + "\n"


def _flat(table: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        name = f"{before}{key}"
        found += _flat(value, f"{name}.") if isinstance(value, Mapping) else [(name, value)]
    return found


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(part.strip() for part in value)
    return None
