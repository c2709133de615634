"""Bytes of Bluetooth health devices that others published, through the product's own parse functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from drivers.blood_pressure.driver import KILOPASCAL
from drivers.blood_pressure.driver import parse_measurement as parse_pressure
from drivers.contec_oximeter.driver import parse_frame as parse_contec
from drivers.cycling_power.driver import parse_measurement as parse_power
from drivers.cycling_speed.driver import WHEEL_HZ
from drivers.cycling_speed.driver import parse_measurement as parse_cycling
from drivers.errors import MalformedFrameError
from drivers.fitness_machine.domyos import DomyosFrames, checksum_ok
from drivers.gatt.battery import parse_battery_level
from drivers.gatt.date_time import DATE_TIME_BYTES, DateTime, date_time
from drivers.gatt.rotation import Turns
from drivers.pulse_oximeter.records import parse_continuous, parse_spot
from drivers.running_speed.driver import RUNNING
from drivers.running_speed.driver import parse_measurement as parse_running
from drivers.thermometer.driver import FAHRENHEIT
from drivers.thermometer.driver import parse_measurement as parse_temperature
from drivers.weight_scale.driver import IMPERIAL, KG_IN_LB
from drivers.weight_scale.driver import parse_measurement as parse_weight

T = TypeVar("T")
Answer = dict[str, Any] | None
SECOND = 10**9


def pulse_oximeter(stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> Answer:
    """Return what an oximeter tells."""
    if "FF02" in stream:
        return parse_contec(only(packets))
    parse = _chosen(stream, {"2A5F": parse_continuous, "2A5E": parse_spot})
    return present(parse(only(packets)).values) if parse else None


def running_speed(_stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> Answer:
    """Return what a foot pod tells."""
    reading = parse_running(only(packets))
    names = ("speed_mps", "cadence_spm", "stride_length_m", "total_distance_m")
    return {name: reading.values.get(name) for name in names} | {"running": bool(reading.flags & RUNNING)}


def cycling(stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> Answer:
    """Return the counters of a wheel and a crank, or the rates between notifications a second apart."""
    if "2A63" in stream:
        return present(parse_power(only(packets)).values)
    if len(packets) == 1:
        values = parse_cycling(packets[0]).values
        names = ("wheel_revs", "wheel_time_1024", "crank_revs", "crank_time_1024")
        return {name: values.get(name) for name in names}
    turns = Turns(WHEEL_HZ, Counter())
    for at, packet in enumerate(packets):
        wheel, crank = turns.a_minute(at * SECOND, parse_cycling(packet).values)
    return {"wheel_rpm": wheel, "crank_cadence_rpm": crank}


def vitals(stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> Answer:
    """Return what a monitor, a thermometer, a scale or a battery tells."""
    if "2A19" in stream:
        return {"percent": parse_battery_level(only(packets))[0]}
    parse = _chosen(
        stream, {"2A35": _pressure, "2A1C": _temperature, "2A1E": _temperature, "2A9D": _weight, "2A2B": _time}
    )
    return parse(only(packets)) if parse else None


def _pressure(data: bytes) -> dict[str, Any]:
    reading = parse_pressure(data)
    return present(reading.values) | {"unit": "kPa" if reading.flags & KILOPASCAL else "mmHg"}


def _temperature(data: bytes) -> dict[str, Any]:
    reading = parse_temperature(data)
    return present(reading.values) | {"unit": "F" if reading.flags & FAHRENHEIT else "C"}


def _time(data: bytes) -> dict[str, Any]:
    value = date_time(data[:DATE_TIME_BYTES]) if len(data) >= DATE_TIME_BYTES else None
    if value is None:
        raise MalformedFrameError("no moment")
    return {"time": moment(value)}


def _weight(data: bytes) -> dict[str, Any]:
    reading = parse_weight(data)
    imperial = bool(reading.flags & IMPERIAL)
    weight = reading.values["weight"]
    kg = None if weight is None else weight * (KG_IN_LB if imperial else 1.0)
    return present(reading.values) | {"unit": "lb" if imperial else "kg", "weight_kg": kg}


def domyos(_stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> Answer:
    """Return the one message that notifications of a Domyos make; ValueError where they make none."""
    frames = DomyosFrames()
    messages = [message for packet in packets for message in frames.add(packet)]
    if len(messages) != 1 or frames.dropped:
        raise MalformedFrameError("one whole message expected")
    return {"message": messages[0].hex(), "checksum_ok": checksum_ok(messages[0])}


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with moments as the vectors write them."""
    return {name: moment(value) if isinstance(value, DateTime) else value for name, value in values.items()}


def moment(value: DateTime) -> str | dict[str, int | None]:
    """Return a moment as text, or in parts where some are not known."""
    return value._asdict() if None in value else str(value)


def only(packets: Sequence[bytes]) -> bytes:
    """Return the one frame there is; raises MalformedFrameError for more."""
    if len(packets) != 1:
        raise MalformedFrameError(f"one frame expected, not {len(packets)}")
    return packets[0]


def _chosen(stream: str, by_number: Mapping[str, T]) -> T | None:
    return next((found for number, found in by_number.items() if number in stream), None)
