"""VESC: the motor controller of many research exoskeletons and prostheses, one motor over one serial port. Read only.

The controller says nothing unless it is asked: the one request that may be written is "values". What comes back has
neither counter nor clock; samples are stamped on arrival and carry ``LOSS_UNKNOWN``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, cast

import numpy as np

from drivers.columns import ColumnDecoder, Columns, Pieces, Told
from drivers.driver import Decoder, Driver, Link
from drivers.errors import MalformedFrameError
from drivers.exoskeleton import FAULTS, JOINTS, SIDES, STREAM, UNITS, joint_number, stream
from drivers.packet import Flag, Packets, StreamSpec
from drivers.vesc.packet import GET_VALUES, Payloads, Reader, number_of, packet, parse_watched, reader_of

DATA_CHANNEL: Final = "data"
REQUEST: Final = packet(bytes((GET_VALUES,)))
ASK_S: Final = 0.02  # fifty times a second: an answer takes 7 ms at 115200 baud
FAULT_AGAIN_NS: Final = 950_000_000
"""A fault that holds is told again about once a second: whoever is given the device meanwhile is to know of it."""
DEGREES_S_A_RPM: Final = 6.0
LOSS_UNKNOWN: Final = int(Flag.LOSS_UNKNOWN)

OWN: Final[Mapping[str, str]] = {
    "motor_current": "A", "input_current": "A", "duty": "1", "erpm": "/min", "tacho": "1", "fet_temp": "Cel",
}  # fmt: skip
"""What is recorded of every controller, and its unit: names as in `Values`."""


SOURCES: Final[Mapping[str, str]] = {"temperature": "motor_temp", "velocity": "erpm", "torque": "motor_current"}
"""What tells each quantity of the joint: names as in `Values`."""
ROUND: Final = 1 << 32  # counters begin again after so many
EXCHANGED = (
    "what it has counted since it was switched on went back, or its number on the bus changed, while the port was open:"
    " it was switched off and on, or exchanged"
)


@dataclass(frozen=True, slots=True)
class Drive:
    """What a motor moves, as the configuration says.

    Attributes:
        side: Left or right; empty where nobody says.
        joint: Of `JOINTS`.
        degrees_s_an_erpm: Speed of the joint, degrees a second, for each electrical revolution a minute; 0 if unknown.
        nm_an_ampere: Torque at the joint for each ampere of motor current; 0 if unknown.
    """

    side: str = ""
    joint: str = ""
    degrees_s_an_erpm: float = 0.0
    nm_an_ampere: float = 0.0

    def channels(self) -> dict[str, float]:
        """Return the channels of the joint, and the factor of what each comes from (`SOURCES`)."""
        if not self.side:
            return {}
        name = f"{self.side}_{self.joint}"
        found = {f"{name}_temperature": 1.0}
        if self.degrees_s_an_erpm:
            found[f"{name}_velocity"] = self.degrees_s_an_erpm
        if self.nm_an_ampere:
            found[f"{name}_torque"] = self.nm_an_ampere
        return found


class VescDecoder(ColumnDecoder):
    """Answers to samples, one each.

    Attributes:
        factors: Of each value that is told, from the controller's units to those of its channel.
    """

    def __init__(self, drive: Drive | None = None) -> None:
        super().__init__()
        self._payloads = Payloads(self.faults)
        self._drive = Drive() if drive is None else drive
        factors = self._drive.channels()
        self._reader = reader_of((*(SOURCES[name.rpartition("_")[2]] for name in factors), "v_in", *OWN))
        self.factors = [*factors.values(), *[1.0] * (1 + len(OWN))]
        names = [*factors, "battery_voltage"]
        units = [UNITS[name] for name in names] + list(OWN.values())
        self._streams = {spec.name: spec for spec in (stream([*names, *OWN], units), FAULTS)}
        self._joint = joint_number(self._drive.side, self._drive.joint) if self._drive.side else 0
        self._known: tuple[int, int, int | None] | None = None  # what `_watch` saw last
        self._fault: int | None = None
        self._fault_ns = 0  # when it was told last

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """Fixed by the options."""
        return self._streams

    def sort(self, frames: Pieces, told: Told) -> None:
        """Sort what the port gave."""
        columns = told[self._reader]
        for now_ns, channel, data in frames:
            if channel != DATA_CHANNEL:
                continue
            for payload in self._payloads.cut(data):
                try:
                    drawn, steps, fault = parse_watched(payload)
                except MalformedFrameError as problem:
                    self.faults[str(problem)] += 1
                    continue
                self._watch(steps, drawn, number_of(payload))
                columns.rows.append(payload)
                columns.arrival_ns.append(now_ns)
                columns.flags.append(LOSS_UNKNOWN)
                if fault != self._fault or now_ns >= self._fault_ns + FAULT_AGAIN_NS:
                    self._fault, self._fault_ns = fault, now_ns
                    told.numbers(FAULTS.name, now_ns, (fault, self._joint, np.nan), LOSS_UNKNOWN)

    def _watch(self, steps: int, drawn: int, number: int | None) -> None:
        """See that it can be the controller that answered before: what it counts while it is on only grows."""
        now = steps, drawn, number
        if self._known is not None and now != self._known:
            before = self._known
            went_back = (steps - before[0]) % ROUND >= ROUND // 2 or (drawn - before[1]) % ROUND >= ROUND // 2
            if went_back or number != before[2]:
                self.doubt = EXCHANGED
        self._known = now

    @classmethod
    def read(cls, decoders: Sequence[Decoder], how: str | Reader, columns: Columns) -> list[Packets]:
        """Read the values of all answers of which the same is told."""
        if isinstance(how, str):
            return super().read(decoders, how, columns)
        ours = cast("Sequence[VescDecoder]", decoders)
        factors = np.array([ours[at].factors for at in columns.device]).repeat(np.diff(columns.start), axis=0)
        return [columns.packets(STREAM, how.read(columns.rows) * factors)]


class Vesc(Driver):
    """Asks a controller for its values, fifty times a second, and writes nothing else.

    Options: ``joint`` says what the motor moves, such as ``"left_knee"``; ``pole_pairs`` and ``gear_ratio`` (motor
    revolutions for one of the joint, negative where it turns the other way) give its velocity; ``nm_per_ampere`` gives
    an estimate of its torque at the joint from the motor current.
    """

    name: ClassVar[str] = "vesc"
    title: ClassVar[str] = "VESC motor controller (values only)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 3.0  # it answers at once or not at all
    refresh_s: ClassVar[float | None] = ASK_S

    def __init__(
        self,
        *,
        joint: str | None = None,
        pole_pairs: int | None = None,
        gear_ratio: float | None = None,
        nm_per_ampere: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if joint is None and (pole_pairs, gear_ratio, nm_per_ampere) != (None, None, None):
            raise ValueError(f"driver '{self.name}': say with 'joint' which one the motor moves")
        if (pole_pairs is None) != (gear_ratio is None):
            raise ValueError(f"driver '{self.name}': pole_pairs and gear_ratio go together")
        side, _, name = (joint or "").partition("_")
        if joint is not None and (side not in SIDES or name not in JOINTS):
            raise ValueError(f"driver '{self.name}' has no joint '{joint}': it is left_ or right_{', '.join(JOINTS)}")
        turns = _factor(self.name, "pole_pairs", pole_pairs) * _factor(self.name, "gear_ratio", gear_ratio)
        speed = 0.0 if pole_pairs is None else DEGREES_S_A_RPM / turns
        torque = 0.0 if nm_per_ampere is None else _factor(self.name, "nm_per_ampere", nm_per_ampere)
        self._drive = Drive(side, name, speed, torque)

    def allows(self, characteristic: str, data: bytes) -> bool:
        """The question for values; nothing that turns, brakes or configures."""
        return characteristic == "" and data == REQUEST

    def decoder(self) -> VescDecoder:
        """Return a decoder for a new connection."""
        return VescDecoder(self._drive)

    async def start(self, link: Link) -> None:
        """Ask for the first time."""
        await link.write("", REQUEST)

    async def refresh(self, link: Link) -> None:
        """Ask again."""
        await link.write("", REQUEST)

    async def stop(self, link: Link) -> None:
        """Nothing to do: who is not asked is silent."""


def _factor(driver: str, name: str, value: float | None) -> float:
    """Return a factor that is a number other than nought; 1 where there is none."""
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value) or value == 0:
        raise ValueError(f"driver '{driver}': {name} is a number and not 0")
    return float(value)
