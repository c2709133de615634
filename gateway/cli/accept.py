"""``rehab-gateway accept``: let a device that was exchanged take the place of the one before, on a person's word."""

from __future__ import annotations

from rich.table import Table

from config.settings import Device, Settings
from config.wording import suggestion
from gateway.cli.terminal import Terminal
from gateway.intake.known_devices import KnownDevices, known_devices, words
from gateway.model.usage import UsageError
from gateway.ward.kept_ward import ward_path
from gateway.ward.registry import read_state


def accept(settings: Settings, name: str | None) -> None:
    """Accept the device that was refused last under this id; without one, show what is known. Raises UsageError."""
    known = known_devices(settings)
    devices = {device.id: device for device in every_device(settings)}
    if name is None:
        Terminal().print(_table(known, devices))
        return
    if name not in devices:
        raise UsageError(f"no device '{name}' in this configuration{suggestion(name, devices)}")
    try:
        accepted = known.accept(devices[name])
    except LookupError:
        raise UsageError(f"no other device has come in place of '{name}': there is nothing to accept") from None
    Terminal().print(f"{name} is {words(accepted)} from now on; a running gateway takes it within a minute.")


def _table(known: KnownDevices, devices: dict[str, Device]) -> Table:
    table = Table("device", "is", "refused", box=None)
    found = known.read()
    for name in devices:
        each = found.get(name)
        refused = each.refused if each is not None else None
        table.add_row(name, "-" if each is None else words(each.identity), "-" if refused is None else words(refused))
    return table


def every_device(settings: Settings) -> list[Device]:
    """Return the devices of the ward as it is; those of the configuration where there is no ward yet."""
    try:
        return [one.device for one in read_state(ward_path(settings)).devices]
    except FileNotFoundError:
        return [device for slot in settings.slot for device in slot.device]
