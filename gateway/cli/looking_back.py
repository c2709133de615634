"""The commands about what was: the audit, accepted devices, the access log, the history."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import ConfigFile, examples, history_folder, load_settings, read_configuration
from gateway.model.usage import UsageError

AUDIT_EXAMPLES = examples(
    "rehab-gateway audit ward.toml  # what happened, and is the record of it whole?",
    "rehab-gateway audit ward.toml --json | jq .what  # for other programs",
    "rehab-gateway audit verify ward.toml  # is it whole, and the log of who looked at what too?",
)


def audit(
    words: Annotated[
        list[Path], typer.Argument(metavar="[verify] CONFIG", help="Configuration file (TOML); 'verify' only checks.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print every record as a line of JSON.")] = False,
) -> None:
    """Print the audit of every gateway in the history, and verify it.

    Starts and stops, sessions, commands, clock steps, files set aside. Each record holds the
    SHA-256 of the one before; a record that was taken out or changed shows, and status is 1.
    """
    *action, config = words
    if [str(word) for word in action] not in ([], ["verify"]):
        raise UsageError("say 'audit CONFIG', or 'audit verify CONFIG'")
    settings = load_settings(config, folder=history_folder)
    if action:
        from gateway.cli.verifying import verify

        raise typer.Exit(verify(settings))
    from gateway.cli.audit import audit as show_audit

    raise typer.Exit(show_audit(settings, as_json=as_json))


ACCEPT_EXAMPLES = examples(
    "rehab-gateway accept ward.toml  # which device is which, and what was refused",
    "rehab-gateway accept ward.toml dot-left  # the sensor was exchanged on purpose",
)


def accept(
    config: ConfigFile,
    device: Annotated[str | None, typer.Argument(metavar="DEVICE", help="Id of the device.")] = None,
) -> None:
    """Accept a device that tells another serial number or tag than the one before it.

    The gateway remembers what each device told first, and reads nothing from one that tells
    otherwise: it may be another patient's, or the other side's. Run this where 'run' runs.
    """
    settings = load_settings(config)
    from gateway.cli.accept import accept as accept_device

    accept_device(settings, device)


ACCESS_LOG_EXAMPLES = examples(
    "rehab-gateway access-log ward.toml  # who looked at what, and is the log of it whole?",
    "rehab-gateway access-log ward.toml --subject p-017  # who has looked at this person",
    "rehab-gateway access-log ward.toml --user anna --json | jq .page  # for other programs",
)


def access_log(
    config: ConfigFile,
    *,
    user: Annotated[str, typer.Option(help="Only what this user did.")] = "",
    subject: Annotated[str, typer.Option(help="Only looks at the person with this pseudonym.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print every entry as a line of JSON.")] = False,
) -> None:
    """Print who looked at what in the dashboard, and verify it.

    Looks, sign-ins, refused tries and changes of the users, by role. Each entry holds the
    SHA-256 of the one before; one that was taken out or changed shows, and status is 1.
    """
    settings = load_settings(config)
    from gateway.cli.access_log import show as show_access_log

    raise typer.Exit(show_access_log(settings, user=user, subject=subject, as_json=as_json))


HISTORY_EXAMPLES = examples(
    "rehab-gateway history erase ward.toml p-01 --dry-run  # what is there of p-01, and where?",
    "rehab-gateway history erase ward.toml p-01  # asks, and erases it; again until status is 0",
    "rehab-gateway history allow ward.toml p-01  # p-01 is back: take its measurements again",
    "rehab-gateway history export ward.toml p-01 > p-01.csv  # every measurement of p-01, for whoever evaluates",
    "rehab-gateway history retention ward.toml  # what is old, and what waits",
    "rehab-gateway history retention ward.toml --confirm  # yes, the clock is right: all of it may go",
    "rehab-gateway history verify ward.toml  # is every measurement as it was written?",
)


def history(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="erase, allow, export, retention or verify.")],
    config: ConfigFile,
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="The pseudonym; not for 'retention' and 'verify'.")
    ] = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    delete_files: Annotated[
        bool, typer.Option("--delete-files", help="Delete recordings and set-aside files that name the subject, whole.")
    ] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="Say that everything old may go at once.")] = False,
) -> None:
    """Erase a subject, see to what is old, or check every row, in the history.

    Erasing reaches measurements, minute values, sessions, the texts of the audit, what was set
    apart, retained curves and the remote store; what it cannot reach is listed, and status is 1:
    do it again then. The historian may run. What comes late of the subject is refused.
    """
    settings = load_settings(config, folder=history_folder)
    from gateway.cli.history import history as see_to_history

    options = {"yes": yes, "dry_run": dry_run, "delete_files": delete_files, "confirm": confirm}
    raise typer.Exit(see_to_history(action, settings, subject, **options))


REPORT_EXAMPLES = examples(
    "rehab-gateway report ward.toml bay-c-20260922t091500z --pdf report.pdf  # by the Chromium of this computer",
    "rehab-gateway report ward.toml bay-c-20260922t091500z --html report.html  # one file, to read or print",
)


def report(
    config: ConfigFile,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session: see 'session show'.")],
    *,
    pdf: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a PDF.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page, in one file.")] = None,
    subject: Annotated[str, typer.Option(metavar="SUBJECT", help="Whose, where two sessions have one id.")] = "",
    gateway: Annotated[str, typer.Option(metavar="GATEWAY", help="Of which gateway, likewise.")] = "",
    baseline: Annotated[str, typer.Option(metavar="SESSION", help="The baseline; by default the first.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Write the report of a session: results beside earlier ones, curves, gaps, and where each number is from.

    Run this where the history is. What a change is held against is chosen by 'ward plan'.
    """
    settings = read_configuration(config)
    from gateway.cli.report import write
    from gateway.results.report import Wanted

    write(settings, Wanted(session, subject, gateway, baseline), html=html, pdf_file=pdf, as_json=as_json)


TREND_EXAMPLES = examples(
    "rehab-gateway trend ward.toml p-0151  # three months of what is first measured",
    "rehab-gateway trend ward.toml p-0151 --metric cadence --days 1096 --by week",
    "rehab-gateway trend ward.toml p-0151 --json | jq .weeks  # sessions a week, and what was planned",
)


def trend(
    config: ConfigFile,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The pseudonym.")],
    *,
    metric: Annotated[str, typer.Option(metavar="METRIC", help="Id of the metric; by default the first.")] = "",
    days: Annotated[float, typer.Option(min=1, max=4000, help="How long back.")] = 90,
    by: Annotated[str, typer.Option(metavar="STEP", help="session, day or week; by default as fits.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Print the trend of a subject over weeks to years; with --json also milestones and sessions a week.

    Run this where the history is. Gaps stay gaps: a time without a measurement has no line.
    """
    settings = load_settings(config, folder=history_folder)
    from gateway.cli.report import print_trend

    print_trend(settings, subject, days=days, metric=metric, by=by, as_json=as_json)


DAYS_EXAMPLES = examples(
    "rehab-gateway days ward.toml p-0151  # four weeks, day by day, and the mean of each week",
    "rehab-gateway days ward.toml p-0151 --days 92 --csv > p-0151.csv  # every outcome, for whoever evaluates",
    "rehab-gateway days ward.toml p-0151 --json | jq '.weeks[-1].outcomes'",
)


def days(
    config: ConfigFile,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The pseudonym.")],
    *,
    back: Annotated[int, typer.Option("--days", min=1, max=92, help="How many days back.")] = 28,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print each day with every outcome as CSV.")] = False,
) -> None:
    """Print what each day and week of a subject gave: wear, postures, steps, and walking bouts.

    Outcomes of bouts have the names of Mobilise-D. A day that was worn for less than ten hours
    is marked, and is no part of its week. Run this where the history is.
    """
    settings = load_settings(config, folder=history_folder)
    from gateway.cli.days import print_days

    print_days(settings, subject, back=back, as_json=as_json, as_csv=as_csv)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command(epilog=AUDIT_EXAMPLES)(audit)
    app.command(epilog=ACCEPT_EXAMPLES)(accept)
    app.command("access-log", epilog=ACCESS_LOG_EXAMPLES)(access_log)
    app.command(epilog=REPORT_EXAMPLES)(report)
    app.command(epilog=TREND_EXAMPLES)(trend)
    app.command(epilog=DAYS_EXAMPLES)(days)
    app.command(epilog=HISTORY_EXAMPLES)(history)
