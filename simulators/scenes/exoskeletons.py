"""The simulators of exoskeletons and their motors, one each, on somebody who walks."""

from __future__ import annotations

from simulators.body.exoskeleton import Joint, WornExoskeleton
from simulators.devices.exo_frame import ExoFrame
from simulators.devices.exo_frame_ble import ExoFrameBle
from simulators.devices.exo_frame_udp import ExoFrameUdp
from simulators.devices.openexo import OpenExo
from simulators.devices.vesc import Vesc
from simulators.scenes.scene import PlacedDevice
from simulators.scenes.simulators import LOOPBACK, Place

FIRST_SERIAL = 1000


def exo_frame(place: Place) -> PlacedDevice:
    """Exoskeleton with the open frame, serial port: joints, torques, gait state, battery, faults."""
    source, serial = _exoskeleton(place, "hip", "knee"), FIRST_SERIAL + place.number
    device = ExoFrame(name=place.name, timeline=place.timeline, path=place.port, source=source, serial=serial)
    return PlacedDevice(device, "exo_frame", "exoskeleton", port=place.port)


def exo_frame_ble(place: Place) -> PlacedDevice:
    """Exoskeleton with the open frame, Bluetooth LE: the same in notifications."""
    source, serial = _exoskeleton(place, "hip", "knee"), FIRST_SERIAL + place.number
    device = ExoFrameBle(
        name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=source, serial=serial
    )
    return PlacedDevice(device, "exo_frame_ble", "exoskeleton", address=place.address)


def exo_frame_udp(place: Place) -> PlacedDevice:
    """Exoskeleton with the open frame, UDP: the same in datagrams, over loopback."""
    source, serial = _exoskeleton(place, "hip", "knee"), FIRST_SERIAL + place.number
    device = ExoFrameUdp(
        name=place.name, timeline=place.timeline, target=place.listen, sender=LOOPBACK, source=source, serial=serial
    )
    return PlacedDevice(device, "exo_frame_udp", "exoskeleton", listen=place.listen, sender=LOOPBACK)


def openexo(place: Place) -> PlacedDevice:
    """OpenExo exoskeleton of ankles, Bluetooth LE: torques, feet, battery voltage, errors."""
    source = _exoskeleton(place, "ankle")
    device = OpenExo(name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, source=source)
    return PlacedDevice(device, "openexo", "exoskeleton", address=place.address)


def vesc(place: Place) -> PlacedDevice:
    """VESC motor controller, serial port: values of one motor, when asked."""
    device = Vesc(name=place.name, timeline=place.timeline, path=place.port, source=_exoskeleton(place, "knee"))
    return PlacedDevice(device, "vesc", "exoskeleton", port=place.port)


def _exoskeleton(place: Place, *joints: Joint) -> WornExoskeleton:
    return WornExoskeleton(place.body().figure(), joints=joints, seed=place.seed)
