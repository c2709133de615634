"""What ``rehab-gateway fleet`` does on a gateway: join, agent."""

from __future__ import annotations

import os
import signal
from getpass import getpass
from pathlib import Path

import typer

from config.settings import Broker, Settings
from gateway.cli.acl import check_name
from gateway.cli.ending import print_line
from gateway.cli.options import known_drivers
from gateway.fleet.agent import Agent
from gateway.fleet.joining import JoinError
from gateway.fleet.joining import join as join_fleet
from gateway.fleet.member_folder import FOLDER, member_folder, trouble_of_configuration, trouble_of_folder
from gateway.model.usage import UsageError


def join(config: Path, settings: Settings, name: str, code: str, broker: str, *, folder: Path | None = None) -> None:
    """Join a fleet; raises UsageError where that cannot be."""
    check_name(name)
    host, _, port = broker.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= 65_535:
        raise UsageError(f"--broker is HOST:PORT, and '{broker}' is not: take it from what 'fleet invite' printed")
    asked = getpass("Code: ") if code == "-" else code
    place = member_folder(settings) if folder is None else folder.absolute()
    door = Broker(embedded=False, host=host, port=int(port))
    print_line(f"asking {broker}, for half a minute at most")
    try:
        about = join_fleet(config, settings.site.data, name, asked, door, folder=place)
    except JoinError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        why = f"{error.filename or place} cannot be written ({error.strerror or error})"
        raise UsageError(f"{why}: see whose it and its folder are ('ls -ld'), and join again with a new code") from None
    typer.echo(f"{name} is in the fleet of {about['site']}; its broker is {about['host']}:{about['port']}.")
    typer.echo(f"Restart 'run', and run 'rehab-gateway fleet agent {config}' as a service.")


def run_agent(config: Path, settings: Settings) -> None:
    """Work until SIGTERM or Ctrl-C, or until a new version of this program is there; raises UsageError."""
    folder = member_folder(settings)
    if os.geteuid() == 0 and (trouble := trouble_of_configuration(config) or trouble_of_folder(settings)):
        raise UsageError(trouble)
    try:
        agent = Agent(folder, config, settings.fleet, drivers=known_drivers())
    except FileNotFoundError:
        raise UsageError(f"this gateway is in no fleet: there is no {folder}; 'rehab-gateway fleet join' it") from None
    except PermissionError:
        raise UsageError(
            f"{folder} is for an agent that is root (roll-outs.conf), and this one is not: have it be root's, or join"
            f" once more with '--folder {settings.site.data / FOLDER}'"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder} cannot be used: {error}; join again") from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    if agent.run():
        typer.echo("A new version is there: the service starts it.")
