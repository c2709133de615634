"""The pages of the set-up in a browser: the code, the questions, and what came of them. Plain forms, no script."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template

from gateway.dashboard.pages import PAGES
from gateway.installation.setup import Done
from gateway.installation.setup_questions import KEYS, QUESTIONS, Answers, Question
from gateway.texts.languages import english

OWN = Path(__file__).parent / "pages"
HEAD = '<link rel="stylesheet" href="static/setup.css">\n'
TABLES = {
    "ward": "The ward", "beds": "Beds", "admin": "Who looks after it", "time": "Clock", "certificate": "Certificate",
    "pages": "Pages", "broker": "Message broker", "store": "The hospital's database", "radio": "Sensors",
    "backup": "Backups",
}  # fmt: skip


def code_page(reason: str = "") -> str:
    """Return the page that asks for the one-time code."""
    return _page("Set-up", "code", reason=escape(reason), hidden="" if reason else " hidden")


def questions_page(answers: Answers, wrong: Mapping[str, str]) -> str:
    """Return the page with all questions.

    Args:
        answers: What stands in the fields; secrets are never sent back.
        wrong: What is wrong with which.
    """
    shown: dict[str, str] = {}
    for question in QUESTIONS:
        shown[question.key] = answers.get(question.key, question.default(shown))
    fields = "".join(
        f"<fieldset><legend>{escape(TABLES[table])}</legend>{''.join(_field(one, shown, wrong) for one in questions)}"
        "</fieldset>\n"
        for table, questions in groupby(QUESTIONS, lambda question: question.key.partition(".")[0])
    )
    said = "; ".join(f"{KEYS[key].ask} {trouble}" for key, trouble in wrong.items() if key in KEYS)
    said = said or "; ".join(wrong.values())
    return _page("Set-up", "questions", fields=fields, reason=escape(said), hidden="" if wrong else " hidden")


def done_page(ward: str, done: Done) -> str:
    """Return the page that says what came of it, with what is shown this once."""
    shown = "".join(
        f"<dt>{escape(what.capitalize())}</dt><dd>{escape(value)}</dd>" for what, value in done.shown.items()
    )
    if shown:
        shown = f"<p>Write this down now: it is shown this once.</p><dl>{shown}</dl>"
    left = "".join(f"<li><code>sudo {escape(command)}</code></li>" for command in done.commands)
    if left:
        left = f"<p>Left to do on the gateway's terminal:</p><ol>{left}</ol>"
    return _page("Done", "done", ward=escape(ward), shown=shown, address=escape(done.address), left=left)


def _field(question: Question, shown: Answers, wrong: Mapping[str, str]) -> str:
    name, value, trouble = escape(question.key), escape(shown[question.key]), wrong.get(question.key, "")
    described = f"why-{name}{f' wrong-{name}' if trouble else ''}"
    common = f'id="{name}" name="{name}" aria-describedby="{described}"{" aria-invalid=true" if trouble else ""}'
    if question.choices is not None:
        options = "".join(
            f'<option value="{escape(choice)}"{" selected" if choice == shown[question.key] else ""}>'
            f"{escape(f'{choice}: {means}' if means else choice)}</option>"
            for choice, means in question.choices.items()
        )
        control = f"<select {common}>{options}</select>"
    elif question.kind == "secret":
        control = f'<input {common} type="password" autocomplete="new-password">'
    else:
        control = f'<input {common} value="{value}" autocomplete="off" spellcheck="false">'
    why = escape(question.why)
    if question.only_if is not None:
        other, choices = question.only_if
        why += f" Only where “{escape(KEYS[other].ask)}” is {escape(' or '.join(choices))}."
    said = f'<p class="wrong" id="wrong-{name}">{escape(trouble)}</p>' if trouble else ""
    return (
        f'<div class="field"><label for="{name}">{escape(question.ask)}</label>{control}'
        f'<p class="why" id="why-{name}">{why}</p>{said}</div>'
    )


def _page(title: str, name: str, **values: str) -> str:
    body = Template((OWN / f"{name}.html").read_text("utf-8")).substitute(
        statement=english().text("shell.statement"), **values
    )
    outside = Template((PAGES / "outside.html").read_text("utf-8"))
    return outside.substitute(title=title, body=body, root="", head=HEAD, lang=english().locale)
