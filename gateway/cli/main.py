"""The command line ``rehab-gateway``: thin commands over the processes, and errors in one sentence.

Everything heavy is imported inside the commands: ``--help`` answers at once on the slowest bedside computer.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

from gateway.cli import examining, installing, looking_back, versions
from gateway.cli.devices import devices_app
from gateway.cli.driver import driver_app
from gateway.cli.ending import (
    FAILURE,
    OURS,
    USAGE,
    flushed,
    print_ending,
    print_line,
    print_trace,
    unfit_machine,
    what_ended,
)
from gateway.cli.fleet import fleet_app
from gateway.cli.group import CommandGroup
from gateway.cli.notices import notices_app
from gateway.cli.options import (
    ConfigFile,
    examples,
    history_folder,
    known_drivers,
    load_settings,
    read_configuration,
)
from gateway.cli.session import session_app
from gateway.cli.token import token_app
from gateway.cli.ward import ward_app
from gateway.machine.journal import log_lines
from gateway.machine.ownership import become_owner_of, refuse_to_make
from gateway.machine.plain_text import prepare_output, visible
from gateway.model.usage import UsageError

__all__ = ["app", "known_drivers", "load_settings", "main"]

OF_DEVICES = ("dialout", "bluetooth")  # groups, as the unit of 'run' gives them
GENTLY = 10  # of 19: others go first, and yet it gets on

app = typer.Typer(
    name="rehab-gateway",
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try it without any device:  [bold]rehab-gateway demo[/bold]",
)
app.add_typer(ward_app, name="ward")
app.add_typer(session_app, name="session")
app.add_typer(notices_app, name="notices")
app.add_typer(devices_app, name="devices")
app.add_typer(driver_app, name="driver")
app.add_typer(token_app, name="token")
app.add_typer(fleet_app, name="fleet")


@app.callback()
def options(
    *, debug: Annotated[bool, typer.Option("--debug", help="Log everything; show tracebacks.")] = False
) -> None:
    """Reads rehabilitation devices at the bedside and gets every number to those who need it.

    Information for rehabilitation staff and researchers. Not a medical device.
    """
    if debug:
        sys.excepthook = print_trace
    handler = logging.StreamHandler()
    handler.setFormatter(log_lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.captureWarnings(capture=True)
    for package in OURS:  # the libraries would log every byte of every device
        logging.getLogger(package).setLevel(logging.DEBUG if debug else logging.INFO)


@app.command(
    epilog=examples(
        "rehab-gateway check ward.toml  # is the file right?",
        "rehab-gateway run ward.toml  # Ctrl-C stops the devices and keeps what is not sent yet",
        "rehab-gateway historian ward.toml  # beside it: stores what this sends",
        "rehab-gateway dashboard ward.toml  # and shows it",
    )
)
def run(config: ConfigFile) -> None:
    """Run the gateway: devices, metrics, outbox and publisher, until Ctrl-C.

    Needs a historian somewhere (on this machine or in the hospital) that stores what is sent;
    until it says so, every measurement stays on this disk.
    """
    settings = load_settings(config, groups=OF_DEVICES)
    refuse_to_make(settings.site.data)
    from gateway.run.run import run as run_gateway

    run_gateway(settings)


@app.command(
    epilog=examples(
        "rehab-gateway demo  # then open http://127.0.0.1:8080",
        "rehab-gateway demo --for 60  # status 0 only if measurements reached the history",
        "rehab-gateway demo --beds 6 --speed 2  # a larger ward, walking twice as fast",
    )
)
def demo(
    *,
    seconds: Annotated[
        float | None, typer.Option("--for", min=1, metavar="SECONDS", help="Stop by itself after so long.")
    ] = None,
    beds: Annotated[
        int, typer.Option(min=1, max=99, help="Simulated beds, worn: feet and back, whole legs, shanks.")
    ] = 3,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the dashboard on 127.0.0.1.")] = 8080,
    speed: Annotated[
        float | None,
        typer.Option(min=0.1, max=100, help="Simulated seconds a second; by default 1, less where the beds are many."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep configuration, history and logs there.")
    ] = None,
) -> None:
    """Run everything with nothing configured, on simulated devices.

    A simulated ward, a broker, the gateway, the historian and the dashboard; one line a second
    says what flows. Ctrl-C stops everything and leaves nothing behind unless --data is given.
    """
    from gateway.cli.demo import demo as run_demo

    raise typer.Exit(run_demo(for_s=seconds, beds=beds, port=port, speed=speed, data=data))


@app.command(
    epilog=examples(
        "rehab-gateway replay var/recordings/ward-7-20260922t091500.rgrec  # what was measured, in a table",
        "rehab-gateway replay run.rgrec --json > measurements.jsonl  # every measurement, one a line",
        "rehab-gateway replay run.rgrec --against var/history.db  # the same as the live run?",
        "rehab-gateway replay run.rgrec --config other.toml  # what would other axes or placements have given?",
        "rehab-gateway replay run.rgrec --offsets  # after three stamps: how far apart are the sensors' clocks?",
    )
)
def replay(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDING...", help="Recordings that 'run' made (recorder.enabled = true), one for each start."
        ),
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every measurement, or the comparison, as lines of JSON.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(metavar="HISTORY", help="Compare with the history of the live run.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Try its devices' axes, placements and options instead, and compare."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="With --config: print the comparison as CSV.")] = False,
    offsets: Annotated[bool, typer.Option("--offsets", help="How far apart the devices' clocks are.")] = False,
) -> None:
    """Compute the measurements of recordings again.

    The same code as live, as fast as the machine can. The same bytes give the same
    measurements, bit for bit, and within 1e-12 on another kind of processor; --against
    proves it. --config tries other settings of the devices on the same bytes, and tells
    what they change.
    """
    from gateway.cli.replay import replay as replay_recordings
    from gateway.cli.replay_trial import replay_trial

    become_owner_of(recordings[0].parent)
    if offsets:
        print_offsets(recordings, as_json=as_json, alone=config is None and against is None and not as_csv)
    if config is None:
        _refuse_csv(as_csv=as_csv)
        raise typer.Exit(replay_recordings(recordings, as_json=as_json, against=against))
    if against is not None or (as_csv and as_json):
        raise UsageError("--config goes with one of --json and --csv, and not with --against")
    raise typer.Exit(replay_trial(recordings, read_configuration(config), as_json=as_json, as_csv=as_csv))


@app.command(epilog=examples("rehab-gateway historian ward.toml  # the same file as 'run'"))
def historian(config: ConfigFile) -> None:
    """Store what gateways publish.

    From MQTT to the history (SQLite), and to a time-series store if one is configured;
    tells the gateway what is safe, so that its outbox can let go.
    """
    settings = load_settings(config, folder=history_folder)
    refuse_to_make(settings.site.data)
    import asyncio

    from gateway.historian.historian import run_historian

    asyncio.run(run_historian(settings))


@app.command(epilog=examples("rehab-gateway dashboard ward.toml  # then open http://127.0.0.1:8080"))
def dashboard(config: ConfigFile) -> None:
    """Show the ward and its patients in a browser.

    Live over MQTT, the past from the history; on this machine only, and reading only.
    """
    settings = load_settings(config)
    refuse_to_make(settings.site.data)
    from gateway.dashboard.server import run_dashboard

    run_dashboard(settings, ready=lambda address: typer.echo(f"The dashboard is at {address}"))


@app.command(
    epilog=examples(
        "rehab-gateway user add users.jsonl anna --role clinician  # asks for the password",
        "rehab-gateway user add users.jsonl wall-1 --role viewer < password.txt  # a screen on a wall",
        "rehab-gateway user list users.jsonl  # who may sign in",
        "rehab-gateway user remove users.jsonl anna  # she is out at once",
    )
)
def user(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="add (also: new password or role), list or remove.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The users file that dashboard.users_file names.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, dots and hyphens.")] = "",
    *,
    role: Annotated[str, typer.Option(help="viewer, clinician, technician, researcher or admin.")] = "",
) -> None:
    """Say who may sign in to the dashboard.

    The password is asked for, or is the first line of standard input; never an argument,
    which everybody on the machine could read. Only its hash is kept.
    """
    from gateway.cli.user import user as edit_users

    edit_users(action, file, name, role)


@app.command(
    "broker-acl",
    epilog=examples(
        "rehab-gateway broker-acl ward.toml  # this gateway, a historian and a dashboard",
        "rehab-gateway broker-acl ward.toml --gateway ward-8 --folder /etc/mosquitto/rehab  # two gateways, as files",
    ),
)
def broker_acl(
    config: ConfigFile,
    *,
    gateway: Annotated[list[str] | None, typer.Option(help="Another gateway of the site; may be repeated.")] = None,
    historian: Annotated[list[str] | None, typer.Option(help="Name in a historian's certificate.")] = None,
    dashboard: Annotated[list[str] | None, typer.Option(help="Name in a dashboard's certificate.")] = None,
    home_assistant: Annotated[str, typer.Option(help="Name in the certificate of a Home Assistant.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Write mosquitto.conf and acl there instead of printing.")] = None,
) -> None:
    """Print what a mosquitto of the site needs: a TLS listener, and who may do what.

    Everybody is known by the common name of a certificate. A gateway can only write its own
    topics; historian and dashboard read the site.
    """
    settings = read_configuration(config)
    from gateway.cli.acl import show as show_acl

    show_acl(settings, gateway or [], historian or [], dashboard or [], folder, home_assistant=home_assistant)


examining.add_to(app)
looking_back.add_to(app)
versions.add_to(app)
installing.add_to(app)


@app.command(
    "warm-up",
    epilog=examples(
        "rehab-gateway warm-up  # after an installation or an update, before the first patient",
        "NUMBA_CACHE_DIR=/var/cache/rehab-gateway rehab-gateway warm-up  # as the services have it",
    ),
)
def warm_up(
    only: Annotated[str, typer.Option(help="One part alone, as 'warm-up' names it.")] = "",
    *,
    gently: Annotated[bool, typer.Option("--gently", help="Leave the processor to others that want it.")] = False,
) -> None:
    """Compile the signal processing for this processor, once, and keep it; what a package shipped is only loaded.

    'run' does the same while it measures heart rates, and loads in a second what is already there.
    """
    if gently:
        os.nice(GENTLY)  # before all else: what is loaded for compiling is as much work as a gateway's own start
    from dsp.kernel_cache import COMPILED, cache_base, loaded, not_kept

    if (base := cache_base()) is not None:
        become_owner_of(base)  # the service writes there, and what is loaded from there is run
    from gateway.analysis.warm_up import PARTS, cache_folders, where
    from gateway.analysis.warm_up import warm_up as make_ready

    if only and only not in PARTS:
        raise typer.BadParameter(f"no part is called {only!r}: {', '.join(PARTS)}", param_hint="--only")
    seconds = make_ready(
        lambda name, took: typer.echo(f"{name:14} {took:6.1f} s"),
        on_progress=lambda words: typer.echo(words, err=True),
        only=[only] if only else None,
    )
    kept = f"kept in {', '.join(map(str, cache_folders()))}" if not not_kept() else "not kept"
    typer.echo(visible(f"ready after {seconds:.1f} s; {kept if loaded[COMPILED] else where()}"))
    if not_kept():
        raise typer.Exit(FAILURE)


@app.command()
def version() -> None:
    """Print the versions of the gateway and of Python."""
    import platform
    from importlib.metadata import version as version_of

    typer.echo(f"rehab-gateway {version_of('rehab-gateway')}, Python {platform.python_version()}, {platform.machine()}")


def _refuse_csv(*, as_csv: bool) -> None:
    if as_csv:
        raise UsageError("--csv is for a comparison: give --config FILE too")


def print_offsets(recordings: list[Path], *, as_json: bool, alone: bool) -> None:
    """Print the offsets between the devices of recordings, and end; ``alone``: no option speaks against it."""
    if not alone:
        raise UsageError("--offsets goes with --json and with nothing else")
    from gateway.cli.offsets import show_offsets

    raise typer.Exit(show_offsets(recordings, as_json=as_json))


def main() -> None:
    """Run the command line.

    Exit status 2 for a wrong command line or configuration, 3 for a file that another version of this program has to
    go on with, 1 for a failure.
    """
    prepare_output()
    sys.excepthook = print_ending
    reason = unfit_machine(sys.platform, sys.maxsize)
    if reason:
        print_line(reason)
        raise SystemExit(FAILURE)
    from config.errors import ConfigError
    from gateway.machine.kept_forms import KeptFormError
    from gateway.machine.newer_file import NEWER, NewerFileError
    from gateway.machine.private_files import restrict_umask

    restrict_umask()
    try:
        with flushed():
            get_command(app)(prog_name="rehab-gateway")
    except ConfigError as error:
        for problem in error.problems:
            print_line(problem)
        raise SystemExit(USAGE) from None
    except UsageError as error:
        print_line(error)
        raise SystemExit(USAGE) from None
    except (NewerFileError, KeptFormError) as error:
        print_line(what_ended(type(error), error))
        raise SystemExit(NEWER) from None


if __name__ == "__main__":
    main()
