"""``rehab-gateway fleet``: many gateways from one desk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import ConfigFile, examples, read_configuration

GatewayName = Annotated[
    str, typer.Argument(metavar="NAME", help="Of the gateway: lower-case letters, digits, hyphens.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Ring = Annotated[str, typer.Option(help="Which ring it is in: its group when something is rolled out.")]

fleet_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Join, watch, change and upgrade many gateways from one desk.\n\n"
    "The desk is a process beside the hospital's broker; gateways call the broker, and nobody calls them.",
    epilog=examples(
        "rehab-gateway fleet init central.toml --host mqtt.hospital.example  # at the desk, once",
        "rehab-gateway fleet desk central.toml  # at the desk, as a service",
        "rehab-gateway fleet invite central.toml ward-7 --ring first  # prints a code, once",
        "rehab-gateway fleet join ward.toml ward-7 7K2QD-9MXRT --broker mqtt.hospital.example:8884  # on the gateway",
        "rehab-gateway fleet agent ward.toml  # on the gateway, as a service",
        "rehab-gateway fleet roll-out central.toml FILE --version 1.4.0 --rings first,ward,all",
        "rehab-gateway fleet revoke central.toml ward-7 --why stolen  # it is out at once",
    ),
)


@fleet_app.command(
    epilog=examples(
        "rehab-gateway fleet init central.toml --host mqtt.hospital.example",
        "rehab-gateway fleet init central.toml --host mqtt.hospital.example --historian h-1 --historian h-2",
    )
)
def init(
    config: ConfigFile,
    *,
    host: Annotated[
        list[str], typer.Option(help="Name or address by which gateways reach the broker; may be repeated.")
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the broker, for who is in the fleet.")] = 8883,
    enrol_port: Annotated[int, typer.Option(min=1, max=65535, help="Of the broker, for who wants to join.")] = 8884,
    historian: Annotated[
        list[str] | None, typer.Option(help="A historian that shares the load, by its historian.id; may be repeated.")
    ] = None,
    dashboard: Annotated[list[str] | None, typer.Option(help="A dashboard's name; may be repeated.")] = None,
) -> None:
    """Make the fleet's authority, the broker's certificate and configuration, and the desk's keys."""
    from gateway.cli.fleet_desk import init as make_fleet

    make_fleet(read_configuration(config), host, (port, enrol_port), historian or [], dashboard or [])


@fleet_app.command(epilog=examples("rehab-gateway fleet desk central.toml  # until Ctrl-C"))
def desk(config: ConfigFile) -> None:
    """Answer who joins, hand out bundles, open ring after ring."""
    from gateway.cli.fleet_desk import run_desk

    run_desk(read_configuration(config))


@fleet_app.command(
    epilog=examples(
        "rehab-gateway fleet invite central.toml ward-7",
        "rehab-gateway fleet invite central.toml ward-7 --ring first --minutes 240",
    )
)
def invite(
    config: ConfigFile,
    name: GatewayName,
    *,
    ring: Ring = "ward",
    minutes: Annotated[float, typer.Option(min=1, max=10_080, help="How long the code holds.")] = 60,
) -> None:
    """Print a one-time code with which one gateway may join; it is kept nowhere."""
    from gateway.cli.fleet_desk import invite as make_invitation

    make_invitation(read_configuration(config), name, ring, minutes)


@fleet_app.command(
    epilog=examples(
        "rehab-gateway fleet join ward.toml ward-7 7K2QD-9MXRT --broker mqtt.hospital.example:8884",
        "rehab-gateway fleet join ward.toml ward-7 - --broker mqtt.hospital.example:8884  # asks for the code",
        "rehab-gateway fleet join ward.toml ward-7 - --broker mqtt.hospital.example:8884 --folder"
        " /var/lib/rehab-gateway-fleet  # for an agent that takes roll-outs",
    )
)
def join(
    config: ConfigFile,
    name: GatewayName,
    code: Annotated[str, typer.Argument(metavar="CODE", help="As 'fleet invite' printed it; - asks for it.")],
    *,
    broker: Annotated[str, typer.Option(metavar="HOST:PORT", help="The broker's port for who wants to join.")],
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where keys and certificates come to lie; by default fleet.member_folder. Has to be root's,"
            " and no part of the data folder, for an agent that takes roll-outs."
        ),
    ] = None,
) -> None:
    """Make this gateway's keys, have them signed, and write the settings that the fleet tells."""
    from gateway.cli.fleet_member import join as join_fleet

    join_fleet(config, read_configuration(config), name, code, broker, folder=folder)


@fleet_app.command(epilog=examples("rehab-gateway fleet agent ward.toml  # until Ctrl-C"))
def agent(config: ConfigFile) -> None:
    """Do on this gateway what the desk's signed plans say, and tell what came of it.

    As root, which roll-outs take, it works only with a configuration and a folder that root alone may change.
    """
    from gateway.cli.fleet_member import run_agent

    run_agent(config, read_configuration(config))


@fleet_app.command(
    "roll-out",
    epilog=examples(
        "rehab-gateway fleet roll-out central.toml FILE.deb --version 1.4.0 --rings first,ward,all  # signed",
        "rehab-gateway fleet roll-out central.toml notices.toml --rings first,all --soak 600  # a configuration",
        "rehab-gateway fleet roll-out central.toml FILE --version 1.4.0 --no-wait  # the desk goes on alone",
    ),
)
def roll_out(
    config: ConfigFile,
    bundle: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A signed package (.deb), or a part of a configuration (.toml)."),
    ],
    *,
    rings: Annotated[str, typer.Option(help="In which order; 'all' is whoever is left.")] = "first,ward,all",
    version: Annotated[str, typer.Option(help="What a gateway says that it runs when it has the upgrade.")] = "",
    soak: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long a ring is well before the next.")
    ] = 3600,
    within: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="How long a ring may take before it stops everything.")
    ] = 3600,
    older: Annotated[
        str, typer.Option(metavar="WHY", help="Gateways refuse a version older than theirs, unless this says why.")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Say how it goes until it ends.")] = True,
) -> None:
    """Send an upgrade or a configuration to the fleet, ring by ring; one gateway that is not well stops it.

    Ends with status 0 when every gateway has it and is well, with 1 when it stopped.
    """
    from gateway.cli.fleet_roll_out import Wish
    from gateway.cli.fleet_roll_out import roll_out as begin

    wish = Wish(bundle, rings, version, older.strip(), soak_s=soak, within_s=within)
    raise typer.Exit(begin(read_configuration(config), wish, wait=wait))


@fleet_app.command(epilog=examples("rehab-gateway fleet resume central.toml  # whoever failed tries again"))
def resume(config: ConfigFile) -> None:
    """Have a roll-out that was stopped or aborted go on."""
    from gateway.cli.fleet_roll_out import resume as go_on

    go_on(read_configuration(config))


@fleet_app.command(epilog=examples("rehab-gateway fleet abort central.toml  # nobody else takes it"))
def abort(config: ConfigFile) -> None:
    """Have nobody else take the present roll-out; who has it keeps it."""
    from gateway.cli.fleet_roll_out import abort as end

    end(read_configuration(config))


@fleet_app.command(epilog=examples("rehab-gateway fleet ring central.toml ward-7 first"))
def ring(config: ConfigFile, name: GatewayName, ring: Annotated[str, typer.Argument(metavar="RING")]) -> None:
    """Put a gateway into another ring."""
    from gateway.cli.fleet_desk import set_ring

    set_ring(read_configuration(config), name, ring)


@fleet_app.command(epilog=examples("rehab-gateway fleet revoke central.toml ward-7 --why stolen"))
def revoke(
    config: ConfigFile,
    name: GatewayName,
    *,
    why: Annotated[str, typer.Option(help="For the fleet page; no names of people.")] = "",
) -> None:
    """Take a gateway out of the fleet: its connection ends, and its certificates open nothing any more.

    Takes its invitation back, too, where its code was not used yet. Ends with status 1 where the broker could not be
    told; what was not done is said, and doing it again tells the broker again.
    """
    from gateway.cli.fleet_desk import revoke as take_out

    raise typer.Exit(take_out(read_configuration(config), name, why))


@fleet_app.command("list", epilog=examples("rehab-gateway fleet list central.toml --json | jq .members"))
def list_(config: ConfigFile, *, as_json: AsJson = False) -> None:
    """Show who is in the fleet, who is invited, and how the roll-out goes."""
    from gateway.cli.fleet_desk import show

    show(read_configuration(config), as_json=as_json)
