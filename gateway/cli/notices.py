"""``rehab-gateway notices``: what stands, who has seen it, what is paused; and the answers that a person gives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.options import ConfigFile, examples, load_settings
from gateway.cli.ward import AsJson, By, Subject

Why = Annotated[str, typer.Option(metavar="TEXT", help="Why, or what was done; no names.")]
Code = Annotated[str, typer.Option("--kind", metavar="KIND", help="Only this kind, such as battery-low.")]
BedOrNone = Annotated[str, typer.Argument(metavar="BED", help="Id of the bed; '-' for the gateway itself.")]

notices_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Answer notices: acknowledge one, pause those of a bed for a while, choose which of movement are raised.\n\n"
    "Nothing is switched off: what is acknowledged or paused stands, quieter, with the name of whoever said so, and a"
    " restart does not forget it. Notices are hints and never an alarm.",
    epilog=examples(
        "rehab-gateway status ward.toml --json | jq '.notices.active\\[].id'  # what stands",
        "rehab-gateway notices acknowledge ward.toml battery-low/dot-1 --why 'on the charger'",
        "rehab-gateway notices pause ward.toml bay-c 30 --kind link-lost  # in the pool",
        "rehab-gateway notices choose ward.toml p-0151 fall_event  # off unless somebody chooses so",
    ),
)


@notices_app.command(epilog=examples("rehab-gateway notices acknowledge ward.toml link-lost/dot-1  # I go and look"))
def acknowledge(
    config: ConfigFile,
    notice: Annotated[str, typer.Argument(metavar="NOTICE", help="Its id, as the status has it.")],
    *,
    why: Why = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Say that you have seen a notice. It stands until its own rule clears it."""
    _answer(config, "notice-acknowledge", {"notice": notice, "why": why}, by, as_json=as_json)


@notices_app.command(epilog=examples("rehab-gateway notices pause ward.toml bay-c 30 --why 'in the shower'"))
def pause(
    config: ConfigFile,
    bed: BedOrNone,
    minutes: Annotated[float, typer.Argument(metavar="MINUTES", help="For how long; at most 240.")],
    *,
    code: Code = "",
    why: Why = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Have the notices of a bed be quieter for a while."""
    fields = {"bed": "" if bed == "-" else bed, "minutes": minutes, "code": code, "why": why}
    _answer(config, "notice-pause", fields, by, as_json=as_json)


@notices_app.command(epilog=examples("rehab-gateway notices resume ward.toml bay-c"))
def resume(config: ConfigFile, bed: BedOrNone, *, code: Code = "", by: By = "", as_json: AsJson = False) -> None:
    """End a pause."""
    _answer(config, "notice-resume", {"bed": "" if bed == "-" else bed, "code": code}, by, as_json=as_json)


@notices_app.command(
    epilog=examples(
        "rehab-gateway notices choose ward.toml p-0151 fall_event ceiling_exceeded",
        "rehab-gateway notices choose ward.toml p-0151  # none",
    )
)
def choose(
    config: ConfigFile,
    subject: Subject,
    kinds: Annotated[
        list[str] | None, typer.Argument(metavar="KINDS", help="fall_event, ceiling_exceeded; none are off.")
    ] = None,
    *,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Choose which movement notices are raised of somebody; in the beginning none are."""
    from gateway.cli.ward_desk import change

    change(load_settings(config), "notices-choose", {"subject": subject, "kinds": kinds or []}, by=by, as_json=as_json)


@notices_app.command(
    epilog=examples(
        "rehab-gateway notices feedback ward.toml p-0151 lean lower_back --low 10 --high 20",
        "rehab-gateway notices feedback ward.toml p-0151 none  # the page shows nothing",
    )
)
def feedback(
    config: ConfigFile,
    subject: Subject,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="lean, turning, joint, metric or none.")],
    of: Annotated[str, typer.Argument(metavar="OF", help="Placement, channel of the exoskeleton, or metric.")] = "",
    *,
    low: Annotated[float | None, typer.Option(metavar="NUMBER", help="Where the band begins.")] = None,
    high: Annotated[float | None, typer.Option(metavar="NUMBER", help="Where it ends.")] = None,
    side: Annotated[str, typer.Option(metavar="SIDE", help="Of a metric: left, right, both or none.")] = "",
    shape: Annotated[str, typer.Option(metavar="SHAPE", help="bar or number.")] = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Choose what somebody sees of their own movement, and the band to stay in."""
    from gateway.cli.ward_desk import change

    fields = {"subject": subject, "kind": kind, "of": of, "low": low, "high": high, "side": side, "shape": shape}
    change(load_settings(config), "feedback-choose", fields, by=by, as_json=as_json)


def _answer(config: Path, name: str, fields: dict[str, Any], by: str, *, as_json: bool) -> None:
    from gateway.cli.notice_answers import answer

    answer(load_settings(config), name, fields, by=by, as_json=as_json)
