"""The commands that change which version runs: upgrade, rollback, versions."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.ending import FAILURE, print_line, what_ended
from gateway.cli.options import examples
from gateway.model.usage import UsageError

if TYPE_CHECKING:
    from gateway.installation.change import Wish
    from gateway.installation.signature import Keys

CONFIG = Path("/etc/rehab-gateway/ward.toml")
KEYS = Path("/etc/rehab-gateway/trusted-keys")
SHIPPED_KEYS = Path("share/rehab-gateway/trusted-keys")
"""Below the environment of a version."""
WHY_LEAST = 10
"""Letters of a reason: 'yes' is none."""

ConfigOption = Annotated[Path, typer.Option("--config", metavar="CONFIG", help="Configuration of the services.")]
HomeOption = Annotated[Path, typer.Option("--home", metavar="FOLDER", help="Where the versions stand side by side.")]
SupervisorOption = Annotated[
    str,
    typer.Option(
        "--supervisor", metavar="PROGRAM",
        help="A program that starts services in systemd's place: PROGRAM wanted, running, or restart NAME...",
    ),
]  # fmt: skip
WithinOption = Annotated[
    float, typer.Option("--within", min=5, metavar="SECONDS", help="How long it may take until all is well.")
]
UnsignedOption = Annotated[
    str,
    typer.Option("--unsigned", metavar="WHY", help="Install it though nobody trusted signed it; say why, in words."),
]
OlderOption = Annotated[
    str, typer.Option("--older", metavar="WHY", help="Install it though it is older than what runs; say why, in words.")
]
HOME_DEFAULT = Path("/opt/rehab-gateway")
WITHIN_S = 300.0

UPGRADE_EXAMPLES = examples(
    "sudo rehab-gateway upgrade /media/usb/rehab-gateway_0.2.0+deb12_amd64.deb  # SHA256SUMS and .sig lie beside it",
    "sudo rehab-gateway upgrade own.deb --unsigned 'built here, tried on the bench'  # which is kept",
    "sudo rehab-gateway upgrade --settle  # all is well for a week: give up the way back",
    "sudo rehab-gateway rollback  # to the version before",
)


def upgrade(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The package (.deb), or that of a roll-out (.bundle).")
    ] = None,
    *,
    unsigned: UnsignedOption = "",
    older: OlderOption = "",
    resume: Annotated[bool, typer.Option("--resume", help="Finish a change that was broken off.")] = False,
    settle: Annotated[
        bool, typer.Option("--settle", help="Give up the way back: remove other versions, let files change form.")
    ] = False,
    keys: Annotated[Path, typer.Option(metavar="FOLDER", help="Public keys that this site trusts (*.pem).")] = KEYS,
    config: ConfigOption = CONFIG,
    within: WithinOption = WITHIN_S,
    home: HomeOption = HOME_DEFAULT,
    supervisor: SupervisorOption = "",
) -> None:
    """Have a new version take the place of the one that runs, or have all stay as it is.

    Sees who signed the package, and that it is no older version; lays it beside, has the new program
    check the configuration, copies data and configuration, starts it. Kept only when all is well and
    a receipt came back; else the version before runs again, and why is said. Whatever breaks it off,
    one of the two runs. Needs root.
    """
    if [file is not None, resume, settle].count(True) != 1:
        raise UsageError("say which package: 'rehab-gateway upgrade FILE' (or --resume, or --settle)")
    _ask_for_sentences(unsigned, older)
    from gateway.installation.change import Changer, Wish
    from gateway.installation.versions import Versions

    changer = Changer(Versions(home), say)
    if resume:
        _do(lambda: changer.resume() or "nothing was left to finish")
    elif settle:
        _do(lambda: _settled(changer.settle(config)))
    else:
        assert file is not None
        wish = Wish(config, supervisor, unsigned.strip(), within, older.strip())
        _do(lambda: f"version {changer.upgrade(file, _trusted(keys), wish).new} runs")


def _ask_for_sentences(unsigned: str, older: str) -> None:
    """Raise UsageError for a reason that is none."""
    if unsigned and len(unsigned.strip()) < WHY_LEAST:
        raise UsageError("--unsigned takes a sentence: why may it be installed without a signature?")
    if older and len(older.strip()) < WHY_LEAST:
        raise UsageError("--older takes a sentence: why is an older version to take the place of the one that runs?")


def rollback(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Which; left out: the one before.")] = "",
    *,
    config: ConfigOption = CONFIG,
    within: WithinOption = WITHIN_S,
    home: HomeOption = HOME_DEFAULT,
    supervisor: SupervisorOption = "",
) -> None:
    """Have the version before run again, with everything that was measured meanwhile.

    It is tried like a new one: where it does not do its work, the present version goes on. Needs root.
    """
    from gateway.installation.change import Changer, Wish
    from gateway.installation.versions import Versions

    versions = Versions(home)
    wish: Wish = Wish(config, supervisor, within_s=within)
    _do(lambda: f"version {Changer(versions, say).rollback(version or _before(versions), wish).new} runs")


def versions(
    *,
    forms: Annotated[
        bool, typer.Option("--forms", help="Print which forms of files this program goes on with, as JSON.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    home: HomeOption = HOME_DEFAULT,
) -> None:
    """Show which versions are here, which one runs, and what the last changes came to."""
    from gateway.cli.versions_page import print_forms, show

    if forms:
        print_forms()
    else:
        show(home, as_json=as_json)


def say(words: str) -> None:
    """Print a step; a terminal that has gone away is no reason to stop half way."""
    from gateway.machine.plain_text import visible

    try:
        typer.echo(visible(words))
        sys.stdout.flush()
    except OSError:
        return


def _do(change: object) -> None:
    """Make a change and say what came of it; raises typer.Exit where it did not."""
    from gateway.installation.errors import InstallationError

    assert callable(change)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a connection that breaks is no wish
    try:
        say(change())
    except InstallationError as error:
        print_line(what_ended(type(error), error))
        raise typer.Exit(FAILURE) from None


def _trusted(folder: Path) -> Keys:
    from gateway.installation.signature import trusted_keys

    return trusted_keys([Path(sys.prefix) / SHIPPED_KEYS, folder])


def _before(versions: object) -> str:
    """Return the version that ran before the present one; raises UsageError where that is not clear."""
    from gateway.installation.versions import Versions

    assert isinstance(versions, Versions)
    others = [name for name in versions.installed() if name != versions.current()]
    if len(others) != 1:
        raise UsageError(f"which version? there is: {', '.join(others) or 'no other'}")
    return others[0]


def _settled(gone: list[str]) -> str:
    removed = f"removed: {', '.join(gone)}" if gone else "there was no other version"
    return f"the way back is given up ({removed}); files take the form of this version when their service starts next"


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command(epilog=UPGRADE_EXAMPLES)(upgrade)
    app.command(epilog=examples("sudo rehab-gateway rollback  # the version before runs again"))(rollback)
    app.command(epilog=examples("rehab-gateway versions  # which are here, and which one runs"))(versions)
