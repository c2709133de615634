"""The simulators of what laboratories build with: sensors and amplifiers that send by themselves, one each."""

from __future__ import annotations

from simulators.body.body import Placement, WalkingBody
from simulators.devices.bno08x_rvc import RATE_HZ as BNO_RATE_HZ
from simulators.devices.bno08x_rvc import Bno08xRvc
from simulators.devices.declared_ble import DeclaredBle
from simulators.devices.declared_serial import DeclaredSerial
from simulators.devices.openbci_cyton import RATE_HZ as CYTON_RATE_HZ
from simulators.devices.openbci_cyton import OpenBciCyton
from simulators.devices.prototype import BANNER, plain_struct, text_line
from simulators.motion.source import MotionSource
from simulators.scenes.scene import PlacedDevice
from simulators.scenes.simulators import Place

PROTOTYPE_RATE_HZ = 100.0
AXES = ("x", "y", "z")
TEXT = {
    "stream": "imu",
    "rate_hz": PROTOTYPE_RATE_HZ,
    "values": ["time ms", *(f"acc_{axis} m/s2" for axis in AXES), *(f"gyr_{axis} rad/s" for axis in AXES)],
}
STRUCT = {
    "stream": "imu",
    "rate_hz": PROTOTYPE_RATE_HZ,
    "struct": "<I6h",
    "values": [
        "time us",
        *(f"acc_{axis} g 0.000244140625" for axis in AXES),
        *(f"gyr_{axis} deg/s 0.06097561" for axis in AXES),
    ],
}  # fmt: skip
"""What the configuration has to say of these two."""


def bno08x_rvc(place: Place) -> PlacedDevice:
    """BNO08x in UART-RVC mode, serial port: orientation and acceleration."""
    source = _worn(place, "left_shank", BNO_RATE_HZ)
    device = Bno08xRvc(name=place.name, timeline=place.timeline, path=place.port, source=source)
    return PlacedDevice(device, "bno08x_rvc", "left_shank", port=place.port)


def declared_ble(place: Place) -> PlacedDevice:
    """Prototype that notifies structs, Bluetooth LE: acceleration and angular rate."""
    device = DeclaredBle(
        name=place.name, timeline=place.timeline, hub=place.hub, address=place.address,
        source=_worn(place, "right_foot", PROTOTYPE_RATE_HZ), encoder=plain_struct,
    )  # fmt: skip
    return PlacedDevice(device, "declared_ble", "right_foot", address=place.address, options=STRUCT)


def declared_serial(place: Place) -> PlacedDevice:
    """Prototype that prints lines, serial port: acceleration and angular rate."""
    device = DeclaredSerial(
        name=place.name, timeline=place.timeline, path=place.port, source=_worn(place, "left_foot", PROTOTYPE_RATE_HZ),
        encoder=text_line, banner=BANNER,
    )  # fmt: skip
    return PlacedDevice(device, "declared_serial", "left_foot", port=place.port, options=TEXT)


def openbci_cyton(place: Place) -> PlacedDevice:
    """OpenBCI Cyton, serial port: eight electrodes on a leg, acceleration."""
    source = _worn(place, "right_shank", CYTON_RATE_HZ)
    device = OpenBciCyton(name=place.name, timeline=place.timeline, path=place.port, source=source)
    return PlacedDevice(device, "openbci_cyton", "right_shank", port=place.port)


def _worn(place: Place, placement: Placement, rate_hz: float) -> MotionSource:
    return WalkingBody(place.seed).sensor(placement, rate_hz=rate_hz, seed=place.seed)
