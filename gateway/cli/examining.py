"""The commands that examine: bytes of a device, a configuration, this machine, a running gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.ending import FAILURE
from gateway.cli.options import ConfigFile, examples, load_settings, read_configuration

DECODE_EXAMPLES = examples(
    "rehab-gateway decode heart_rate 16 4b 00 04  # one notification",
    "rehab-gateway decode movella_dot --file notes.txt  # one frame a line, # begins a comment",
    "rehab-gateway decode movella_dot battery:5701  # a frame of another channel",
    "rehab-gateway decode heart_rate --json 164b0004  # for other programs",
    "rehab-gateway decode declared_serial --config lab.toml --text '12,0.1,9.8'  # does a declaration fit a line?",
)


def decode(
    driver: Annotated[str, typer.Argument(metavar="DRIVER", help="Name of the driver, as in a configuration.")],
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="HEX", help="Hexadecimal digits, together or apart; CHANNEL:HEX for another channel."),
    ] = None,
    *,
    file: Annotated[Path | None, typer.Option(help="Frames from a file, one a line; - is standard input.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON a sample.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="Configuration that has the device: its options are the driver's.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Id of that device, where several have the driver.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="A line of text as the device prints it.")] = None,
    capture: Annotated[
        Path | None, typer.Option(help="File of bytes as the device sent them, such as of cat; - is standard input.")
    ] = None,
) -> None:
    """Decode bytes of a device into readable samples.

    Bytes on the command line are one frame, unless a channel is named before each: a channel
    is where the device sends from ("measurement" of a Bluetooth device, "data" of a serial one).
    A device that the configuration declares is tried out so before it runs: --config and --text.
    """
    from gateway.cli.decode import Captured, options_of
    from gateway.cli.decode import decode as decode_bytes

    options = None if config is None else options_of(read_configuration(config), driver, device)
    captured = Captured(text or (), capture)
    raise typer.Exit(decode_bytes(driver, data or [], file, as_json=as_json, options=options, captured=captured))


CHECK_EXAMPLES = examples(
    "rehab-gateway check ward.toml  # ward.toml, line 12: slot.device.driver = ...",
    "rehab-gateway check --as-run ward.toml  # would 'run' start with it? keys of a newer version are only named",
)


def check(
    config: ConfigFile,
    *,
    as_run: Annotated[
        bool, typer.Option("--as-run", help="Name keys that are no settings and leave them out, as the services do.")
    ] = False,
) -> None:
    """Check a configuration: every mistake with file, line and key.

    Starts nothing and connects to nothing; 'doctor CONFIG' asks the machine. A key that is no
    setting is a mistake here; the services name it in their log and go on without it.
    """
    settings = load_settings(config, strict=not as_run)
    from gateway.cli.check import show

    show(config, settings)


DOCTOR_EXAMPLES = examples(
    "rehab-gateway doctor  # this machine",
    "rehab-gateway doctor ward.toml  # and the adapter, ttys, broker and folders that the file names",
    "rehab-gateway doctor --json  # for monitoring",
)


def doctor(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="Configuration file (TOML).")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Tell whether this machine can do the job, and what to do where it cannot.

    Looks at processor, Python, Bluetooth, ttys, clock, disk, memory, broker and compiler cache.
    Ends with status 1 if anything fails; warnings do not.
    """
    settings = load_settings(config) if config else None
    from gateway.cli.doctor.doctor import examine, show

    findings = examine(settings)
    show(findings, as_json=as_json)
    raise typer.Exit(FAILURE if any(finding.state == "fail" for finding in findings) else 0)


STATUS_EXAMPLES = examples(
    "rehab-gateway status ward.toml  # is all well?",
    "rehab-gateway status ward.toml --watch  # and does it stay so? Ctrl-C ends it",
    "rehab-gateway status ward.toml --json  # for other programs",
)


def status(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="Configuration file (TOML).")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again until Ctrl-C.")] = False,
) -> None:
    """Show how a running gateway and its devices are doing.

    Asks the broker that the configuration names. Ends with status 1 when something needs
    attention: a device, a notice, or a gateway that is not there.
    """
    from config.settings import Settings as Defaults

    settings = load_settings(config) if config else Defaults()
    from gateway.cli.status import status as show_status

    raise typer.Exit(show_status(settings, as_json=as_json, watch=watch))


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command(epilog=DECODE_EXAMPLES)(decode)
    app.command(epilog=CHECK_EXAMPLES)(check)
    app.command(epilog=DOCTOR_EXAMPLES)(doctor)
    app.command(epilog=STATUS_EXAMPLES)(status)
