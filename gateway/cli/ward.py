"""``rehab-gateway ward``: who is in which bed, wearing what; and every change of it, while the gateway runs or not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from config.hardware import is_usb_name
from gateway.cli.options import ConfigFile, examples, load_settings

By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who asks, for the audit; by default the login name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="Pseudonym; never a name or a hospital number.")]
Bed = Annotated[str, typer.Argument(metavar="BED", help="Id of the bed or bay.")]
DeviceId = Annotated[str, typer.Argument(metavar="DEVICE", help="Id of the device.")]
PlacementName = Annotated[str, typer.Argument(metavar="PLACEMENT", help="Where it is worn: left_foot, lower_back ...")]

ward_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Say who is in which bed and wears what: admit, discharge, move, put sensors on.\n\n"
    "A running gateway takes each change at once, and nobody else on the ward notices; where none runs, its next start"
    " does. Every change is on disk before it is answered, and in the audit with who asked.",
    epilog=examples(
        "rehab-gateway ward admit ward.toml p-0151 bay-c --height 1.71  # somebody comes",
        "rehab-gateway ward assign ward.toml dot-9 bay-c left_foot  # a sensor is put on",
        "rehab-gateway session start ward.toml p-0151 10mwt  # and a test begins",
        "rehab-gateway ward discharge ward.toml p-0151  # their session ends, their sensors are free",
    ),
)


@ward_app.command(
    epilog=examples(
        "rehab-gateway ward show ward.toml  # beds, people, sensors, sessions",
        "rehab-gateway ward show ward.toml --json | jq .devices  # for other programs",
    )
)
def show(config: ConfigFile, *, as_json: AsJson = False) -> None:
    """Show who is in which bed, wearing what, in which session."""
    import orjson

    from gateway.cli.terminal import Terminal
    from gateway.cli.ward_desk import read
    from gateway.ward.published import published

    ward = read(load_settings(config))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(published(ward), option=orjson.OPT_INDENT_2) + b"\n")
        return
    from rich.table import Table

    table = Table("bed", "subject", "session", "devices", box=None, pad_edge=False, header_style="dim")
    for bed in ward.beds:
        subject = ward.subject_in(bed.id)
        session = ward.open_session(subject.id) if subject else None
        attached = ", ".join(f"{one.id} ({one.placement.replace('_', ' ')})" for one in ward.devices_in(bed.id))
        doing = f"{session.protocol}, {session.state} ({session.id})" if session else "-"
        table.add_row(bed.id, subject.id if subject else "-", doing if subject else "-", attached or "-")
    terminal = Terminal()
    terminal.print(table)
    if free := [one.device.id for one in ward.devices if one.bed is None]:
        terminal.print(f"On nobody: {', '.join(free)}")


@ward_app.command(
    epilog=examples("rehab-gateway ward admit ward.toml p-0151 bay-c --height 1.71  # height gives step length")
)
def admit(
    config: ConfigFile,
    subject: Subject,
    bed: Bed,
    *,
    height: Annotated[float | None, typer.Option(metavar="METRES", help="Body height.")] = None,
    leg_length: Annotated[float | None, typer.Option(metavar="METRES", help="Greater trochanter to floor.")] = None,
    mass: Annotated[float | None, typer.Option(metavar="KG", help="Body mass.")] = None,
    ceiling: Annotated[float | None, typer.Option(metavar="RATE", help="Heart rate not to be exceeded.")] = None,
    affected: Annotated[str, typer.Option(metavar="SIDE", help="left, right, both or none.")] = "",
    aids: Annotated[str, typer.Option(metavar="TEXT", help="Walking aids.")] = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Take somebody into an empty bed."""
    fields = {
        "subject": subject, "bed": bed, "height_m": height, "leg_length_m": leg_length, "mass_kg": mass,
        "heart_ceiling": ceiling,
        "affected_side": affected, "aids": aids,
    }  # fmt: skip
    _change(config, "admit", fields, by=by, as_json=as_json)


@ward_app.command(epilog=examples("rehab-gateway ward discharge ward.toml p-0151  # take the sensors off, too"))
def discharge(config: ConfigFile, subject: Subject, *, by: By = "", as_json: AsJson = False) -> None:
    """Let somebody go: their session ends, and their devices are free for the next."""
    _change(config, "discharge", {"subject": subject}, by=by, as_json=as_json)


@ward_app.command(epilog=examples("rehab-gateway ward move ward.toml p-0151 bay-d  # with sensors and session"))
def move(config: ConfigFile, subject: Subject, bed: Bed, *, by: By = "", as_json: AsJson = False) -> None:
    """Move somebody to another, empty bed; what they wear, and their session, go with them."""
    _change(config, "move", {"subject": subject, "bed": bed}, by=by, as_json=as_json)


@ward_app.command(
    epilog=examples(
        "rehab-gateway ward plan ward.toml p-0151 --bands stroke-chronic  # what a change is held against",
        "rehab-gateway ward plan ward.toml p-0151 --sessions 5  # a week; 0 takes the number back",
    )
)
def plan(
    config: ConfigFile,
    subject: Subject,
    *,
    bands: Annotated[str, typer.Option(metavar="GROUP", help="Group of a band file, or none: see 'check'.")] = "",
    sessions: Annotated[int | None, typer.Option(metavar="NUMBER", help="Sessions planned a week; 0: none.")] = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Say which bands a change of somebody is held against, and how many sessions a week are planned."""
    from gateway.cli.bands import find_group

    settings = load_settings(config)
    find_group(settings, bands)
    fields = {"subject": subject, "bands": bands, "sessions_a_week": sessions}
    _change(config, "plan", fields, by=by, as_json=as_json)


@ward_app.command(
    epilog=examples("rehab-gateway ward assign ward.toml dot-9 bay-c left_foot  # onto whoever is in that bed")
)
def assign(
    config: ConfigFile,
    device: DeviceId,
    bed: Bed,
    placement: PlacementName,
    *,
    axes: Annotated[str, typer.Option(metavar="AXES", help="How it is strapped on, where not as usual.")] = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Put a device on whoever is in a bed. A device that somebody wears has to be taken off first."""
    fields = {"device": device, "bed": bed, "placement": placement, "axes": axes}
    _change(config, "assign", fields, by=by, as_json=as_json)


@ward_app.command("take-off", epilog=examples("rehab-gateway ward take-off ward.toml dot-9  # it can be put on others"))
def detach(config: ConfigFile, device: DeviceId, *, by: By = "", as_json: AsJson = False) -> None:
    """Take a device off; it is disconnected, and what it still sends is nobody's."""
    _change(config, "take-off", {"device": device}, by=by, as_json=as_json)


@ward_app.command("add-bed", epilog=examples("rehab-gateway ward add-bed ward.toml bay-c --label 'Bay C'"))
def add_bed(
    config: ConfigFile,
    bed: Bed,
    *,
    label: Annotated[str, typer.Option(metavar="TEXT", help="What the ward calls it.")] = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Add a bed or bay."""
    _change(config, "add-bed", {"bed": bed, "label": label}, by=by, as_json=as_json)


@ward_app.command(
    "add-beds",
    epilog=examples("rehab-gateway ward add-beds ward.toml 1 70 --label Bay  # bay-1 'Bay 1' to bay-70 'Bay 70'"),
)
def add_beds(
    config: ConfigFile,
    first: Annotated[int, typer.Argument(metavar="FIRST", help="Number of the first bed.")],
    last: Annotated[int, typer.Argument(metavar="LAST", help="Number of the last one.")],
    *,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="What their ids begin with.")] = "bay-",
    label: Annotated[str, typer.Option(metavar="TEXT", help="What the ward calls them, before the number.")] = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Add a row of beds or bays, numbered: all of them, or none where one is there already."""
    fields = {"prefix": prefix, "first": first, "last": last, "label": label}
    _change(config, "add-beds", fields, by=by, as_json=as_json)


@ward_app.command("remove-bed", epilog=examples("rehab-gateway ward remove-bed ward.toml bay-c  # nobody may be in it"))
def remove_bed(config: ConfigFile, bed: Bed, *, by: By = "", as_json: AsJson = False) -> None:
    """Remove a bed that nobody is in."""
    _change(config, "remove-bed", {"bed": bed}, by=by, as_json=as_json)


@ward_app.command(
    "add-device",
    epilog=examples(
        "rehab-gateway ward add-device ward.toml dot-9 movella_dot --address D4:22:CD:00:00:09  # by Bluetooth",
        "rehab-gateway ward add-device ward.toml back-3 shimmer3 --port /dev/rfcomm3 --placement lower_back",
    ),
)
def add_device(
    config: ConfigFile,
    device: DeviceId,
    driver: Annotated[str, typer.Argument(metavar="DRIVER", help="As in a configuration.")],
    *,
    address: Annotated[str, typer.Option(metavar="ADDRESS", help="Bluetooth address.")] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="Bluetooth name, where the address is not known.")] = "",
    port: Annotated[str, typer.Option(metavar="PATH", help="Serial port.")] = "",
    serial: Annotated[str, typer.Option(metavar="NUMBER", help="Serial number that it has to tell.")] = "",
    placement: Annotated[str, typer.Option(metavar="PLACEMENT", help="Where it is usually worn.")] = "left_foot",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Add a device that the ward has; 'assign' puts it on somebody."""
    fields = {
        "id": device, "driver": driver, "placement": placement, "address": address, "name": name,
        "port": str(Path(port).absolute()) if port and not is_usb_name(Path(port)) else port, "serial": serial,
    }  # fmt: skip
    found = {key: value for key, value in fields.items() if value}
    _change(config, "add-device", {"device": found}, by=by, as_json=as_json)


@ward_app.command("remove-device", epilog=examples("rehab-gateway ward remove-device ward.toml dot-9  # it is broken"))
def remove_device(config: ConfigFile, device: DeviceId, *, by: By = "", as_json: AsJson = False) -> None:
    """Remove a device that nobody wears."""
    _change(config, "remove-device", {"device": device}, by=by, as_json=as_json)


@ward_app.command("import", epilog=examples("rehab-gateway ward import ward.toml  # whatever the ward was before"))
def import_file(config: ConfigFile, *, by: By = "", as_json: AsJson = False) -> None:
    """Take over the beds of a configuration, whatever people have made of the ward.

    Sessions of whoever stays go on, all others end. The gateway has to be stopped for it.
    """
    from gateway.cli.ward_desk import import_ward

    import_ward(load_settings(config), by=by, as_json=as_json)


def _change(config: Path, name: str, fields: dict[str, Any], *, by: str, as_json: bool) -> None:
    from gateway.cli.ward_desk import change

    change(load_settings(config), name, fields, by=by, as_json=as_json)
