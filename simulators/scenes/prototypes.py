"""The simulators of what laboratories build with: sensors and amplifiers that send by themselves, one each."""

from __future__ import annotations

from simulators.devices.bno08x_rvc import RATE_HZ as BNO_RATE_HZ
from simulators.devices.bno08x_rvc import Bno08xRvc
from simulators.devices.declared_ble import DeclaredBle
from simulators.devices.declared_serial import DeclaredSerial
from simulators.devices.openbci_cyton import RATE_HZ as CYTON_RATE_HZ
from simulators.devices.openbci_cyton import OpenBciCyton
from simulators.devices.prototype import BANNER, plain_struct, text_line
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
    source = place.sensor("left_shank", BNO_RATE_HZ)
    device = Bno08xRvc(name=place.name, timeline=place.timeline, path=place.port, source=source)
    return PlacedDevice(device, "bno08x_rvc", place.worn or "left_shank", port=place.port, axes=place.axes)


def declared_ble(place: Place) -> PlacedDevice:
    """Prototype that notifies structs, Bluetooth LE: acceleration and angular rate."""
    device = DeclaredBle(
        name=place.name, timeline=place.timeline, hub=place.hub, address=place.address,
        source=place.sensor("right_foot", PROTOTYPE_RATE_HZ), encoder=plain_struct,
    )  # fmt: skip
    return PlacedDevice(
        device, "declared_ble", place.worn or "right_foot", address=place.address, axes=place.axes, options=STRUCT
    )


def declared_serial(place: Place) -> PlacedDevice:
    """Prototype that prints lines, serial port: acceleration and angular rate."""
    device = DeclaredSerial(
        name=place.name, timeline=place.timeline, path=place.port, source=place.sensor("left_foot", PROTOTYPE_RATE_HZ),
        encoder=text_line, banner=BANNER,
    )  # fmt: skip
    return PlacedDevice(
        device, "declared_serial", place.worn or "left_foot", port=place.port, axes=place.axes, options=TEXT
    )


def openbci_cyton(place: Place) -> PlacedDevice:
    """OpenBCI Cyton, serial port: eight electrodes on a leg, acceleration."""
    source = place.sensor("right_shank", CYTON_RATE_HZ)
    device = OpenBciCyton(name=place.name, timeline=place.timeline, path=place.port, source=source)
    return PlacedDevice(device, "openbci_cyton", place.worn or "right_shank", port=place.port, axes=place.axes)
