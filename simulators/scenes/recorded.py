"""A recording of a real person, worn by simulated devices: DOTs on the limbs, a Shimmer at the lower back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from simulators.devices.movella_dot import MovellaDot
from simulators.devices.shimmer3 import Shimmer3
from simulators.faults import Fault
from simulators.motion.recording import Recording
from simulators.motion.timeline import Timeline
from simulators.radio.addresses import dot_address
from simulators.radio.hub import Hub
from simulators.scenes.scene import Bed, PlacedDevice, Scene

SERIAL_PLACEMENTS = ("lower_back",)

PLACEMENTS: Mapping[str, str] = {
    "left_foot": "left_foot",
    "right_foot": "right_foot",
    "left_shank": "left_shank",
    "right_shank": "right_shank",
    "left_thigh": "left_thigh",
    "right_thigh": "right_thigh",
    "lower_back": "lower_back",
    "wrist": "wrist",
    "left_wrist": "left_wrist",
    "right_wrist": "right_wrist",
    "foot_l": "left_foot",
    "foot_r": "right_foot",
    "ankle_l": "left_shank",
    "ankle_r": "right_shank",
    "lumbar": "lower_back",
}
"""Where a recording's sensors are worn; others are left out."""

AXES: Mapping[str, Mapping[str, str]] = {
    "ipol497": {"left_foot": "-x -y z", "right_foot": "-x -y z", "lower_back": "-z y x"},
    "mobilised_tvs_lab": {"lower_back": "z -y x"},
}
"""Which sensor axes point forward, left and up, by the recording's "dataset" and the placement."""


def recorded(recording: Recording, *, ports: Path, speed: float = 1.0, faults: Sequence[Fault] = ()) -> Scene:
    """Return one bed whose devices send a recording, not started; it begins when every device streams.

    Args:
        recording: What to send.
        ports: Folder for the serial ports.
        speed: Simulated seconds in a real one.
        faults: What goes wrong.

    Raises:
        ValueError: if no sensor of the recording is worn where we know, or a fault names a device that is not there.
    """
    placed = {PLACEMENTS[sensor]: sensor for sensor in recording.sensors if sensor in PLACEMENTS}
    if not placed:
        raise ValueError(f"none of the sensors {', '.join(recording.sensors)} is worn where a device can be placed")
    hub, timeline = Hub(), Timeline(speed=speed, running=False)
    axes = AXES.get(str(recording.about.get("dataset")), {})
    devices = []
    for number, (placement, sensor) in enumerate(placed.items()):
        name, source = f"bed-1-{placement.replace('_', '-')}", recording.source(sensor)
        pointing = axes.get(placement, "x y z")
        if placement in SERIAL_PLACEMENTS:
            port = ports / name
            back = Shimmer3(name=name, timeline=timeline, path=port, source=source)
            devices.append(PlacedDevice(back, "shimmer3", placement, port=port, axes=pointing))
        else:
            address = dot_address(1, number)
            dot = MovellaDot(name=name, timeline=timeline, hub=hub, address=address, source=source)
            devices.append(PlacedDevice(dot, "movella_dot", placement, address=address, axes=pointing))
    scene = Scene(hub, timeline, [Bed("bed-1", "Bed 1", "sim-001", devices)], faults)
    scene.check()
    return scene
