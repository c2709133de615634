"""The commands of installing and keeping: first set-up, certificates, backups and the way back, support bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import ConfigFile, examples, read_configuration

FOLDER = Path("/etc/rehab-gateway")
DATA = Path("/var/lib/rehab-gateway")

SETUP_EXAMPLES = examples(
    "sudo rehab-gateway setup  # asks, question by question",
    "rehab-gateway setup --example > answers.toml  # every question, with its default",
    "sudo rehab-gateway setup --answers answers.toml  # asks nothing",
    "sudo rehab-gateway setup --web 192.0.2.10:8443  # asks in a browser; the code stands here",
)


def setup(
    *,
    answers: Annotated[Path | None, typer.Option(metavar="FILE", help="Ask nothing: the answers are there.")] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a file of answers, and end.")] = False,
    web: Annotated[str, typer.Option(metavar="ADDRESS:PORT", help="Ask in a browser, behind a one-time code.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Do it again; keeps copies of what is there.")] = False,
    # Neither is readable for whoever only asks for an example: what is written there is written by root.
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", readable=False, help="Folder of the configuration.")
    ] = FOLDER,
    data: Annotated[Path, typer.Option(metavar="FOLDER", readable=False, help="Folder of the data.")] = DATA,
) -> None:
    """Set this gateway up for the first time: ward, administrator, certificate, broker, clock, backups.

    Every question has an answer that will do when in doubt. Writes a configuration that 'check' accepts, makes the
    beds, and starts the services where systemd runs; elsewhere it says which commands do. Nothing that is there is
    replaced without --replace, and then a copy is kept. With another --folder the system's own settings (time zone,
    time servers) are left alone.
    """
    from gateway.cli import setup as guided
    from gateway.installation.setup_files import Place

    if example:
        guided.show_example()
        return
    etc = Path("/etc") if folder == FOLDER else None
    place = Place(folder.absolute(), data.absolute(), etc)
    guided.setup(answers, place, web=web, replace=replace)


CERTIFICATE_EXAMPLES = examples(
    "rehab-gateway certificate show ward.toml  # of whom, for which names, until when",
    "sudo rehab-gateway certificate renew ward.toml  # a timer does it by itself",
    "sudo rehab-gateway certificate install ward.toml answer.pem  # what the hospital has signed",
)


def certificate(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="show, renew or install.")],
    config: ConfigFile,
    answer: Annotated[Path | None, typer.Argument(metavar="FILE", help="What the hospital has signed (PEM).")] = None,
    *,
    now: Annotated[bool, typer.Option("--now", help="Renew although the old one holds for long.")] = False,
) -> None:
    """Look after the certificate of the pages.

    One of the ward's own authority holds for 397 days, and is renewed 60 days before its end. For one of the
    hospital's, send 'dashboard.csr', which setup has made, and install the answer.
    """
    from gateway.cli.certificate import certificate as look_after

    look_after(read_configuration(config), action, answer, now=now)


BACKUP_EXAMPLES = examples(
    "sudo rehab-gateway backup ward.toml  # to where the configuration says, as the timer does each night",
    "sudo rehab-gateway backup ward.toml /mnt/stick  # to another folder",
)


def backup(
    config: ConfigFile,
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Where to; by default backup.folder of the file.")
    ] = None,
) -> None:
    """Copy everything of the ward into one encrypted file, while it runs, and read it again.

    History, outbox, ward, audit, users, configuration, certificates and keys. It is encrypted with the key in
    backup.key_file: keep that key on paper too, as without it nobody can read a backup.
    """
    from gateway.cli.backup import backup as make

    make(read_configuration(config), config, folder)


RESTORE_EXAMPLES = examples(
    "rehab-gateway restore --look ward-7-20261129T020000Z.rgbackup  # of which ward, and of when",
    "sudo rehab-gateway restore ward-7-20261129T020000Z.rgbackup  # asks for the key",
    "sudo rehab-gateway restore FILE --key-file key.txt --replace  # puts aside what is there",
)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    *,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the key; by default it is asked for.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put aside what is there.")] = False,
    under: Annotated[Path, typer.Option(metavar="FOLDER", help="Below this folder, for looking at it.")] = Path("/"),
    look: Annotated[bool, typer.Option("--look", help="Only tell of which ward and of when it is.")] = False,
) -> None:
    """Put a backup back, on this machine or on a new one with the same package.

    It is read whole and checked before anything is changed, and refuses to write over what is there. What was measured
    after the backup is not in it. The services have to be stopped; afterwards the gateway goes on in a new epoch.
    """
    from gateway.cli.backup import restore as put_back

    put_back(file, key_file, replace=replace, under=under, look=look)


BUNDLE_EXAMPLES = examples("sudo rehab-gateway support-bundle ward.toml support.zip  # look through it, and send it")


def support_bundle(
    config: ConfigFile,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The ZIP file to write.")],
) -> None:
    """Collect what somebody needs to find a fault, without anything of anybody.

    Versions, configuration, status, what 'doctor' says, logs, sizes, counts. Pseudonyms, names, addresses and serial
    numbers of devices become stand-ins, secrets are left out; it is searched for all of them before it is written.
    """
    from gateway.cli.support import support_bundle as make

    make(read_configuration(config), config, file)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command(epilog=SETUP_EXAMPLES)(setup)
    app.command(epilog=CERTIFICATE_EXAMPLES)(certificate)
    app.command(epilog=BACKUP_EXAMPLES)(backup)
    app.command(epilog=RESTORE_EXAMPLES)(restore)
    app.command("support-bundle", epilog=BUNDLE_EXAMPLES)(support_bundle)
