"""``rehab-gateway token``: the hospital's own programs, and what each may."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.options import ConfigFile, examples, load_settings

TokenName = Annotated[str, typer.Argument(metavar="NAME", help="Of the program: lower-case letters, digits, - and .")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

token_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Let the hospital's own programs ask the API, each with a token and a role.\n\n"
    "Run it where the dashboard runs, as its user or as root. Every use stands in the access log under 'token:NAME'.",
    epilog=examples(
        "rehab-gateway token add ward.toml data-warehouse --role researcher  # prints the token, once",
        "rehab-gateway token list ward.toml  # whose, until when, last used when",
        "rehab-gateway token revoke ward.toml data-warehouse  # it opens nothing any more, at once",
    ),
)


@token_app.command(
    epilog=examples(
        "rehab-gateway token add ward.toml data-warehouse --role researcher --days 365",
        "rehab-gateway token add ward.toml pager --role viewer > pager.token  # the token alone goes into the file",
    )
)
def add(
    config: ConfigFile,
    name: TokenName,
    *,
    role: Annotated[str, typer.Option(help="viewer, clinician, technician, researcher or admin.")],
    days: Annotated[int, typer.Option(min=1, metavar="DAYS", help="How long it holds; at most three years.")] = 90,
) -> None:
    """Make a token and print it: it is shown this once, and only its sum is kept."""
    from gateway.cli.token_desk import add as add_token

    add_token(load_settings(config), name, role, days)


@token_app.command("list", epilog=examples("rehab-gateway token list ward.toml --json | jq .name"))
def list_(config: ConfigFile, *, as_json: AsJson = False) -> None:
    """Show the tokens: role, until when each holds, when it was last used; no token itself."""
    from gateway.cli.token_desk import show

    show(load_settings(config), as_json=as_json)


@token_app.command(epilog=examples("rehab-gateway token revoke ward.toml data-warehouse"))
def revoke(config: ConfigFile, name: TokenName) -> None:
    """Take a token back: it opens nothing any more, and what streams to it ends."""
    from gateway.cli.token_desk import revoke as revoke_token

    revoke_token(load_settings(config), name)
