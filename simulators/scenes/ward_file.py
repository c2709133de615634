"""A whole ward from a gateway's own configuration file: each device of each slot, all of one slot on one body."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.plain_file import look
from simulators.body.body import HEIGHT_M
from simulators.faults import Fault
from simulators.motion.timeline import Timeline
from simulators.motion.wearer import Wearer
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral
from simulators.scenes.scene import Bed, PlacedDevice, Scene
from simulators.scenes.simulators import LOOPBACK, Place, load_simulator

DEVICES = Path("/dev")
"""Where no port of ours can be: a device whose port is there gets one in the folder of ports."""
SIMULATED = "simulated"

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WardFile:
    """What a configuration says of what is to be simulated.

    Attributes:
        path: The file.
        slots: Its slots, as they stand there.
        socket: Of the simulated radio; None where the file names another radio, or no socket.
        speed: Simulated seconds in a real one.
    """

    path: Path
    slots: Sequence[Table]
    socket: Path | None
    speed: float

    @classmethod
    def read(cls, path: Path) -> WardFile:
        """Read a configuration; raises ValueError with what is wrong. Whether it is right otherwise `check` tells."""
        try:
            look(path, or_pipe=True)
            found = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no configuration: {error}") from None
        radio = found.get("radio", {})
        socket = radio.get("socket") if radio.get("name") == SIMULATED else None
        if not any(slot.get("device") for slot in found.get("slot", [])):
            raise ValueError(f"{path} has no [[slot.device]]: there is nothing to simulate")
        folder = path.resolve().parent
        return cls(path, found["slot"], folder / socket if socket else None, float(found.get("speed", 1.0)))


def ward_from_file(
    file: WardFile, *, ports: Path, seed: int = 0, speed: float | None = None, faults: Sequence[Fault] = ()
) -> Scene:
    """Return the ward of a configuration, not started: the same for the same file and seed.

    Args:
        file: The configuration.
        ports: Folder for serial ports that are in /dev in the file.
        seed: Who the people are.
        speed: Simulated seconds in a real one; by default the file's.
        faults: What goes wrong.

    Raises:
        ValueError: A device cannot be simulated, or a fault names one that is not there.
    """
    hub, timeline = Hub(), Timeline(speed=file.speed if speed is None else speed, running=False)
    beds, number = [], 0
    for at, slot in enumerate(file.slots, 1):
        wearer, placed = Wearer(), []
        for device in slot.get("device", []):
            number += 1
            place = _place(file, slot, device, Place("", number, timeline, hub, ports, 1000 * seed + at))
            placed.append(_device(file, place, device, wearer))
        label = str(slot.get("label") or slot["id"])
        beds.append(Bed(str(slot["id"]), label, str(slot["subject"]), placed, slot.get("height_m")))
    scene = Scene(hub, timeline, beds, faults)
    scene.check()
    return scene


def _place(file: WardFile, slot: Table, device: Table, like: Place) -> Place:
    for key in ("serial", "tag"):
        if key in device and file.socket is not None:  # else another configuration is written, without it
            raise ValueError(
                f"'{device['id']}' has to tell a {key} of its own, which a simulated one cannot: leave it out"
            )
    port = Path(str(device["port"])).expanduser() if "port" in device else None
    given = None if port is None or port.is_relative_to(DEVICES) else file.path.resolve().parent / port
    return Place(
        str(device["id"]), like.number, like.timeline, like.hub, like.ports, like.seed,
        worn=str(device.get("placement", "")), axes=str(device.get("axes", "x y z")),
        height_m=float(slot.get("height_m", HEIGHT_M)), options=device.get("options", {}),
        given_address=_address(str(device.get("address", ""))), given_port=given, given_listen=_listen(device),
    )  # fmt: skip


def _device(file: WardFile, place: Place, device: Table, wearer: Wearer) -> PlacedDevice:
    placed = load_simulator(str(device["driver"]))(place)
    if placed.options and place.options != placed.options and file.socket is not None:  # else others are written
        raise ValueError(
            f"'{place.name}' has options that a simulated {placed.driver} does not send by: 'simulate device "
            f"{placed.driver} --write-config FILE' writes those it does, or leave 'socket' of the radio out"
        )
    placed.device.wearer = wearer
    name = device.get("name")
    if name is not None and isinstance(placed.device, Peripheral):
        placed.device.rename(str(name))
    return PlacedDevice(
        placed.device, placed.driver, place.worn or placed.placement,
        address=placed.address if name is None else None, port=placed.port, axes=place.axes,
        local_name=name, options=placed.options or place.options, listen=placed.listen, sender=placed.sender,
    )  # fmt: skip


def _listen(device: Table) -> tuple[str, int] | None:
    """Return where a device of the network sends to, if it sends from this computer to itself; else None."""
    host, _, number = str(device.get("listen", "")).rpartition(":")
    here = host == device.get("sender") == LOOPBACK
    return (host, int(number)) if here and number.isdecimal() else None


def _address(text: str) -> str:
    """Return an address as a radio has it, however it is written."""
    digits = "".join(each for each in text.upper().removeprefix("0X") if each in "0123456789ABCDEF")
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
