"""``rehab-gateway session``: a subject begins a protocol, pauses, goes on, ends; and what happened meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import ConfigFile, examples, load_settings
from gateway.cli.ward import AsJson, By, Subject

if TYPE_CHECKING:
    from config.settings import Settings

Which = Annotated[
    str, typer.Argument(metavar="SESSION", help="Id of the session, or the pseudonym of whose session it is.")
]

SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="Id of a session that has ended: see 'show'.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="What went wrong; no names.")]

session_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Begin, pause, mark, end and mend what somebody does: a walk test, a treadmill, a rest.\n\n"
    "What is measured stands under the session that was in force at its own time. Without one it is the stay.",
    epilog=examples(
        "rehab-gateway session start ward.toml p-0151 10mwt  # prints the id of the session",
        "rehab-gateway session mark ward.toml p-0151 'turned at the door'",
        "rehab-gateway session end ward.toml p-0151",
        "rehab-gateway session correct ward.toml bay-c-20260922t091500z --subject p-0152  # it was another person's",
    ),
)


@session_app.command(epilog=examples("rehab-gateway session start ward.toml p-0151 10mwt  # somebody wears sensors"))
def start(
    config: ConfigFile,
    subject: Subject,
    protocol: Annotated[str, typer.Argument(metavar="PROTOCOL", help="rest, treadmill, 10mwt, 6mwt, tug ...")],
    *,
    notes: Annotated[str, typer.Option(metavar="TEXT", help="Anything worth knowing; no names.")] = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Begin a session of somebody who wears at least one device."""
    _change(config, "session-start", {"subject": subject, "protocol": protocol, "notes": notes}, by, as_json=as_json)


@session_app.command(epilog=examples("rehab-gateway session pause ward.toml p-0151  # a rest is not part of the test"))
def pause(config: ConfigFile, session: Which, *, by: By = "", as_json: AsJson = False) -> None:
    """Let a session stand still: what is measured meanwhile is not part of it."""
    _change(config, "session-pause", {"session": session}, by, as_json=as_json)


@session_app.command(epilog=examples("rehab-gateway session resume ward.toml p-0151"))
def resume(config: ConfigFile, session: Which, *, by: By = "", as_json: AsJson = False) -> None:
    """Go on with a session that was paused."""
    _change(config, "session-resume", {"session": session}, by, as_json=as_json)


@session_app.command(epilog=examples("rehab-gateway session mark ward.toml p-0151 'turned at the door'"))
def mark(
    config: ConfigFile,
    session: Which,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What happened; no names.")],
    *,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Mark that something happened in a session, now."""
    _change(config, "session-mark", {"session": session, "text": text}, by, as_json=as_json)


@session_app.command(epilog=examples("rehab-gateway session end ward.toml p-0151  # sensors may stay on"))
def end(config: ConfigFile, session: Which, *, by: By = "", as_json: AsJson = False) -> None:
    """End a session; what is measured from now on stands under the stay again."""
    _change(config, "session-end", {"session": session}, by, as_json=as_json)


@session_app.command(
    epilog=examples(
        "rehab-gateway session correct ward.toml bay-c-20260922t091500z --subject p-0152  # it was another person",
        "rehab-gateway session correct ward.toml bay-c-20260922t091500z --end 2026-09-22T09:21:30Z --why 'walked on'",
    )
)
def correct(
    config: ConfigFile,
    session: SessionId,
    *,
    subject: Annotated[str, typer.Option(metavar="SUBJECT", help="Whose session it was.")] = "",
    start: Annotated[str, typer.Option(metavar="TIME", help="When it began, as 2026-09-22T09:15:00Z.")] = "",
    end: Annotated[str, typer.Option(metavar="TIME", help="When it ended.")] = "",
    why: Why = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Mend whose session it was, or when it began and ended, once it is over.

    The numbers follow: nothing of it is shown of the wrong person any more. What it said before stays readable.
    """
    fields = {
        "session": session, "subject": subject, "start_us": _time(start), "end_us": _time(end), "why": why
    }  # fmt: skip
    _change(config, "session-correct", fields, by, as_json=as_json)


@session_app.command(
    epilog=examples(
        "rehab-gateway session discard ward.toml bay-c-20260922t091500z --why 'a sensor hung loose'",
        "rehab-gateway session discard ward.toml bay-c-20260922t091500z --take-back  # it was good after all",
    )
)
def discard(
    config: ConfigFile,
    session: SessionId,
    *,
    why: Why = "",
    undo: Annotated[bool, typer.Option("--take-back", help="It is to be used after all.")] = False,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Say that a session is not to be used. Nothing is deleted, and nothing shows it unless it is asked for."""
    fields = {"session": session, "why": why, **({"take_back": True} if undo else {})}
    _change(config, "session-discard", fields, by, as_json=as_json)


@session_app.command(
    epilog=examples(
        "rehab-gateway session report ward.toml bay-c-20260922t091500z borg_cr10=4 pain_nrs=2",
        "rehab-gateway session report ward.toml bay-c-20260922t091500z --form five-questions walking=2 washing=1",
        "rehab-gateway session report ward.toml bay-c-20260922t091500z --note 'tired after the third walk'",
    )
)
def report(
    config: ConfigFile,
    session: Which,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=NUMBER]...", help="borg_cr10, borg_rpe, pain_nrs; or answers.")
    ] = None,
    *,
    form: Annotated[str, typer.Option(metavar="FORM", help="The numbers are answers in this form.")] = "",
    version: Annotated[int, typer.Option(min=1, help="Of the form.")] = 1,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Anything worth knowing; no names.")] = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Put what somebody said to a session, which may be over: how hard it was, how much it hurts, a form, a note."""
    from gateway.cli.ward_desk import change

    given = _numbers(values or ())
    settings = load_settings(config)
    if form:
        _refuse_unknown(form, settings)
    said = {"form": form, "version": version, "answers": given} if form else {"values": given}
    change(settings, "session-report", {"session": session, **said, "note": note}, by=by, as_json=as_json)


@session_app.command(
    "correct-test",
    epilog=examples(
        "rehab-gateway session correct-test ward.toml bay-c-20260922t091500z tug_total"
        " --found 2026-09-22T09:15:07.2Z 2026-09-22T09:15:19.9Z --right 2026-09-22T09:15:07.2Z 2026-09-22T09:15:19.1Z"
    ),
)
def correct_test(
    config: ConfigFile,
    session: SessionId,
    metric: Annotated[str, typer.Argument(help="The result that is a time: tmwt10_time, tug_total, sts5_time ...")],
    *,
    found: Annotated[tuple[str, str], typer.Option(metavar="START END", help="When it was found to begin and end.")],
    right: Annotated[tuple[str, str], typer.Option(metavar="START END", help="When it began and ended.")],
    why: Why = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Give a test another start and end; what follows from them stands beside what the sensors found."""
    (found_start, found_end), (start, end) = map(_time, found), map(_time, right)
    fields = {
        "session": session, "metric": metric, "found_start_us": found_start, "found_end_us": found_end,
        "start_us": start, "end_us": end, "why": why,
    }  # fmt: skip
    _change(config, "test-correct", fields, by, as_json=as_json)


@session_app.command(
    epilog=examples(
        "rehab-gateway session show ward.toml  # all that run, and the newest that have ended",
        "rehab-gateway session show ward.toml --json  # for other programs",
    )
)
def show(config: ConfigFile, *, as_json: AsJson = False) -> None:
    """Show the sessions: protocol, state, begin, end, marks, and whose they were said to be before a correction."""
    import orjson
    from rich.table import Table

    from gateway.cli.terminal import Terminal
    from gateway.cli.ward_desk import clock, read
    from gateway.machine.plain_text import printable

    sessions = read(load_settings(config)).sessions
    if as_json:
        found = [session.model_dump(mode="json") for session in sessions]
        sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("session", "subject", "was", "protocol", "state", "begun", "ended", "marks"):
        table.add_column(heading, no_wrap=heading in ("session", "subject", "was", "state"))
    for one in sessions:
        ended = clock(one.ended_us) if one.ended_us is not None else "-"
        marks = str(len(one.marks))
        state = "discarded" if one.discarded else one.state
        was = "" if one.subject == one.made_subject else one.made_subject or "-"
        table.add_row(one.id, one.subject, was, printable(one.protocol), state, clock(one.started_us), ended, marks)
    Terminal().print(table)


def _time(text: str) -> int | None:
    """Return UTC microseconds; a time without an offset is UTC, as 'show' prints it. Raises UsageError.

    A day alone would be its midnight, which nobody means.
    """
    from datetime import UTC, datetime

    from gateway.model.usage import UsageError

    if not text:
        return None
    if _is_day(text):
        raise UsageError(f"'{text}' has no time of day: write it as {text}T09:15:00Z")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text}' is no time: write it as 2026-09-22T09:15:00Z") from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e6)


def _is_day(text: str) -> bool:
    from datetime import date

    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _numbers(values: Iterable[str]) -> dict[str, float]:
    """Return numbers by their names; raises UsageError for a name that is there twice: one of them is a slip."""
    from gateway.model.usage import UsageError

    found: dict[str, float] = {}
    for name, number in map(_pair, values):
        if name in found:
            raise UsageError(f"'{name}' is given twice: a second number is entered by a command of its own")
        found[name] = number
    return found


def _refuse_unknown(form: str, settings: Settings) -> None:
    """Raise UsageError for a form that the configuration has not: the gateway may not know those of a dashboard."""
    from config.wording import suggestion
    from gateway.model.usage import UsageError
    from gateway.ward.forms import OURS, read_forms

    known = {one.id for one in read_forms(OURS, settings.dashboard.forms_folder)[0]}
    if form not in known:
        raise UsageError(f"there is no form '{form}'{suggestion(form, known)}")


def _pair(text: str) -> tuple[str, float]:
    """Return name and number of ``name=number``; raises UsageError."""
    from gateway.model.usage import UsageError

    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise UsageError(f"'{text}' is no name=number, such as borg_cr10=4") from None


def _change(config: Path, name: str, fields: dict[str, Any], by: str, *, as_json: bool) -> None:
    from gateway.cli.ward_desk import change

    change(load_settings(config), name, fields, by=by, as_json=as_json)
