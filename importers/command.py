"""``rehab-gateway import``: recorded sessions of others as recordings that 'replay' reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import examples

EXAMPLES = examples("rehab-gateway import exoskeleton walk.csv --columns c.toml -o walk.rgrec")

app = typer.Typer(
    help="Turn recorded sessions of others into recordings that 'replay' reads.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog=EXAMPLES,
)


@app.callback()
def importing() -> None:
    """Turn recorded sessions of others into recordings that 'replay' reads."""


@app.command("exoskeleton", epilog=EXAMPLES)
def import_exoskeleton(
    session: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, or a ROS 2 bag in SQLite (.db3, or its folder).")
    ],
    *,
    columns: Annotated[
        Path, typer.Option(metavar="FILE", help="Which column is which channel (TOML); see docs/importing.md.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Recording to write.")],
    subject: Annotated[str, typer.Option(help="Pseudonym of the person.")] = "imported",
    slot: Annotated[str, typer.Option(help="Id of the bed or place.")] = "imported",
    strict: Annotated[
        bool, typer.Option("--strict", help="Keep nothing, and status 1, if anything is left out.")
    ] = False,
) -> None:
    """Turn a recorded exoskeleton session into a recording.

    Columns become channels of the open exoskeleton frame, the time column the device's clock.
    What cannot be read is counted and named with its line; nothing is left out without a word.
    """
    from gateway.cli.replay import Waiting
    from gateway.cli.terminal import Terminal
    from gateway.model.usage import UsageError
    from importers.errors import ImportProblem
    from importers.mapping import load_mapping
    from importers.session import Wanted, import_session

    console = Terminal(stderr=True)
    waiting = Waiting(console.print, "importing")
    try:
        report = import_session(session, load_mapping(columns), output, Wanted(subject, slot), waiting.at)
    except ImportProblem as problem:
        raise UsageError(str(problem)) from None
    for sentence in report.sentences():
        console.print(sentence)
    if strict and not report.spotless:
        output.unlink()
        console.print("Nothing was kept (--strict).")
        raise typer.Exit(1)
    console.print(f"{output}: rehab-gateway replay {output}")
