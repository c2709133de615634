"""The movement operators of a gateway, and which device feeds which, by where it is worn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from config.settings import Device, Settings
from dsp.alignment import Mounting
from dsp.foot import FootContacts
from dsp.lower_back import LowerBack
from dsp.shank import ShankContacts
from gateway.analysis.contacts import ContactBank, steps_by
from gateway.analysis.joints import JointBank
from gateway.analysis.sensor_bank import Bank, Refuse


class Banks:
    """One bank for each operator: one kernel call a step serves all devices worn alike.

    A kernel is loaded by the first sample that it is called with: what nobody wears costs nothing. Orientation runs
    only for sensors on segments that form a joint of a leg whose steps are seen.

    Args:
        settings: The configuration; devices are numbered in its order.
        refuse: Told of a device, and why, whose stream an operator cannot take.

    Attributes:
        feet: Contacts and strides of feet.
        shanks: Contacts of shanks, of legs without a sensor on the foot.
        backs: Bouts, steps and turns of lower backs.
        joints: Angles of joints.
        fed: Of each device, the banks that take its samples.
    """

    def __init__(self, settings: Settings, refuse: Refuse | None = None) -> None:
        devices = [(device, slot) for slot in settings.slot for device in slot.device]
        axes = [device.axes for device, _ in devices]
        backs = LowerBack()
        self.feet = ContactBank(FootContacts(), axes, refuse)
        self.shanks = ContactBank(ShankContacts(), axes, refuse)
        self.backs = Bank(
            backs, lambda number, rate_hz: backs.attach(rate_hz, devices[number][1].height_m or math.nan), axes, refuse
        )
        worn = [placements(slot) for slot in numbered(settings).values()]
        self.joints = JointBank(axes, worn, refuse)
        self.fed: list[Sequence[Bank | JointBank]] = [
            (self.backs,) if device.placement == "lower_back" else () for device, _ in devices
        ]
        for number, part in (leg for slot in worn for leg in steps_by(slot).values()):
            self.fed[number] = (self.feet if part == "foot" else self.shanks,)
        for number in self.joints.devices:
            self.fed[number] = (*self.fed[number], self.joints)

    def step(self) -> None:
        """Run the kernels over what was queued."""
        self.feet.step()
        self.shanks.step()
        self.backs.step()
        self.joints.step()

    def doubts(self) -> dict[int, str]:
        """Return what is wrong with the units of devices, by number: marked as such, whatever is computed from them."""
        found: dict[int, str] = {}
        for bank in (self.feet, self.shanks, self.backs, self.joints):
            found |= bank.doubts()
        return found

    def mounting(self, number: int) -> Mounting | None:
        """Return how a foot's or shank's sensor is found to be strapped on; None for others, and before its first."""
        return self.feet.mounting(number) or self.shanks.mounting(number)


def numbered(settings: Settings) -> dict[str, dict[int, Device]]:
    """Return the devices of each slot by their numbers, which count through the whole configuration."""
    found: dict[str, dict[int, Device]] = {}
    first = 0
    for slot in settings.slot:
        found[slot.id] = dict(enumerate(slot.device, start=first))
        first += len(slot.device)
    return found


def placements(devices: Mapping[int, Device]) -> dict[str, int]:
    """Return which of the devices of a slot is worn where."""
    return {device.placement: number for number, device in devices.items()}
