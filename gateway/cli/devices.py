"""``rehab-gateway devices``: from a box of sensors to a patient who wears them, each on the right leg or arm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.options import ConfigFile, examples, load_settings
from gateway.cli.ward import AsJson, Bed, By, DeviceId, PlacementName

ForSeconds = Annotated[float | None, typer.Option("--for", metavar="SECONDS", help="How long; at most 60.")]

devices_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Find sensors, tell them apart, put them on somebody, and see that each is on the right leg or arm.\n\n"
    "A running gateway does it with its radio, beside its streams; where none runs, this computer's radio is used. What"
    " changes the ward goes through its registry, as with 'rehab-gateway ward'.",
    epilog=examples(
        "rehab-gateway devices scan ward.toml  # what is in range, whose it is",
        "rehab-gateway devices pair ward.toml D4:22:CD:00:00:09 --id dot-9  # it is the ward's now",
        "rehab-gateway devices identify ward.toml dot-9  # which one is it? it blinks",
        "rehab-gateway devices identify ward.toml  # which one is in my hand? tap it",
        "rehab-gateway devices assign ward.toml dot-9 bay-c left_foot  # lift that leg",
    ),
)


@devices_app.command(
    epilog=examples(
        "rehab-gateway devices scan ward.toml  # the strongest first",
        "rehab-gateway devices scan ward.toml --for 20 --json | jq '.heard\\[].address'",
    )
)
def scan(config: ConfigFile, *, for_s: ForSeconds = None, by: By = "", as_json: AsJson = False) -> None:
    """Show what is in range: signal, name, which driver would read it, whose it is.

    Devices of the ward that are not heard are listed with the likely cause.
    """
    from gateway.cli.devices_pages import print_scan

    print_scan(_do(config, "scan", {"for_s": for_s}, by), as_json=as_json)


@devices_app.command(
    epilog=examples(
        "rehab-gateway devices pair ward.toml D4:22:CD:00:00:09 --id dot-9",
        "rehab-gateway devices pair ward.toml 02:48:52:00:01:00 --id strap-4 --bond --passkey 123456",
    )
)
def pair(
    config: ConfigFile,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Bluetooth address, as 'scan' shows it.")],
    *,
    device: Annotated[str, typer.Option("--id", metavar="DEVICE", help="Id that the ward gives it.")],
    driver: Annotated[str, typer.Option(metavar="DRIVER", help="By default what 'scan' finds.")] = "",
    placement: Annotated[str, typer.Option(metavar="PLACEMENT", help="Where it is usually worn.")] = "left_foot",
    bond: Annotated[
        bool, typer.Option("--bond", help="Bond by Bluetooth first: for a device that asks for it.")
    ] = False,
    passkey: Annotated[int | None, typer.Option(metavar="NUMBER", help="The six digits that it shows; bonds.")] = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Make a device that is in range one of the ward's."""
    from gateway.cli.devices_pairing import pair_device

    pair_device(
        load_settings(config), address, device, driver=driver, placement=placement, bond=bond or passkey is not None,
        passkey=passkey, by=by, as_json=as_json,
    )  # fmt: skip


@devices_app.command(
    epilog=examples(
        "rehab-gateway devices identify ward.toml dot-9  # its light blinks",
        "rehab-gateway devices identify ward.toml  # tap the one in your hand",
        "rehab-gateway devices identify ward.toml dot-8 dot-9 --tap  # one of these",
    )
)
def identify(
    config: ConfigFile,
    devices: Annotated[
        list[str] | None, typer.Argument(metavar="[DEVICE...]", help="By default all that nobody wears.")
    ] = None,
    *,
    tap: Annotated[bool, typer.Option("--tap", help="Name the one that is tapped, though it could blink.")] = False,
    for_s: ForSeconds = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Tell which device is which: one blinks, or one that is tapped is named."""
    from gateway.cli.devices_pages import ask_for_tap, print_blink, print_tap

    chosen = devices or []
    if len(chosen) == 1 and not tap:
        print_blink(_do(config, "blink", {"device": chosen[0], "for_s": for_s}, by), as_json=as_json)
        return
    ask_for_tap(as_json=as_json)
    print_tap(_do(config, "tap", {"devices": chosen, "for_s": for_s}, by), as_json=as_json)


@devices_app.command(
    epilog=examples(
        "rehab-gateway devices assign ward.toml dot-9 bay-c left_foot  # then lift the left leg",
        "rehab-gateway devices assign ward.toml strap-4 bay-c chest  # nothing to lift",
        "rehab-gateway devices assign ward.toml dot-7 bay-c left_wrist  # then lift the left arm",
        "rehab-gateway devices assign ward.toml dot-9 bay-c left_foot --no-lift  # they cannot",
    )
)
def assign(
    config: ConfigFile,
    device: DeviceId,
    bed: Bed,
    placement: PlacementName,
    *,
    axes: Annotated[str, typer.Option(metavar="AXES", help="How it is strapped on, where not as usual.")] = "",
    lift: Annotated[bool, typer.Option("--lift/--no-lift", help="See that it is on that leg or arm.")] = True,
    for_s: ForSeconds = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Put a device on whoever is in a bed, and see that it is on that leg or arm.

    The patient lifts it. Where a sensor of the other side moves instead, this one is taken off again.
    """
    from gateway.cli.devices_pairing import assign_device

    fields = {"device": device, "bed": bed, "placement": placement, "axes": axes}
    assign_device(load_settings(config), fields, lift=lift, for_s=for_s, by=by, as_json=as_json)


@devices_app.command(
    epilog=examples(
        "rehab-gateway devices lift ward.toml bay-c left  # which side's sensors move?",
        "rehab-gateway devices lift ward.toml bay-c left --arm  # of the sensors on the wrists",
    )
)
def lift(
    config: ConfigFile,
    bed: Bed,
    side: Annotated[str, typer.Argument(metavar="SIDE", help="What is lifted: left or right.")],
    *,
    arm: Annotated[bool, typer.Option("--arm/--leg", help="Whether it is an arm.")] = False,
    for_s: ForSeconds = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """See again on which legs or arms somebody's sensors are: status 0 only if those of that side moved."""
    from gateway.cli.devices_pages import ask_for_lift, print_lift, which

    limb = "arm" if arm else "leg"
    ask_for_lift(side, limb, as_json=as_json)
    print_lift(_do(config, "lift", {"bed": bed, "side": side, **which(limb), "for_s": for_s}, by), as_json=as_json)


@devices_app.command(
    epilog=examples(
        "rehab-gateway devices forget ward.toml dot-9  # it is another ward's now",
        "rehab-gateway devices forget ward.toml strap-4 --bond  # and this computer's keys for it",
    )
)
def forget(
    config: ConfigFile,
    device: DeviceId,
    *,
    bond: Annotated[bool, typer.Option("--bond", help="Remove its Bluetooth bond too, which a person made.")] = False,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Take a device that nobody wears out of the ward; its bond stays unless --bond."""
    from gateway.cli.devices_pairing import forget_device

    forget_device(load_settings(config), device, bond=bond, by=by, as_json=as_json)


def _do(config: Path, name: str, fields: dict[str, Any], by: str) -> dict[str, Any]:
    from gateway.cli.devices_desk import do

    return do(load_settings(config), name, fields, by=by)
