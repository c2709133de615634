"""Bytes of inertial sensors at the end of a cable, through the product's own parse functions (for the scorer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drivers.errors import MalformedFrameError
from drivers.microstrain.fields import meaning_of, values_of
from drivers.microstrain.packet import MIP, parse_packet
from drivers.microstrain.packet import fields as fields_of
from drivers.xsens_mti import items as xsens
from drivers.xsens_mti.items import Item, record_of
from drivers.xsens_mti.message import (
    DATA,
    MARK,
    OUTPUT_CONFIGURATION,
    Output,
    acknowledged,
    parse_message,
    parse_outputs,
)

NAMES = {
    0x0810: "Temperature", 0x1010: "UTCTime", 0x1020: "PacketCounter", 0x1030: "ITOW", 0x1040: "GPSAge",
    0x1050: "PressureAge", 0x1060: "SampleTimeFine", 0x1070: "SampleTimeCoarse", 0x2010: "Quaternion",
    0x2020: "RotationMatrix", 0x2030: "EulerAngles", 0x3010: "BaroPressure", 0x4010: "DeltaV", 0x4020: "Acceleration",
    0x4030: "FreeAcceleration", 0x4040: "AccelerationHR", 0x5020: "AltitudeEllipsoid", 0x5030: "PositionECEF",
    0x5040: "LatLon", 0x7010: "GNSSPVTData", 0x7020: "GNSSSatInfo", 0x8020: "RateOfTurn", 0x8030: "DeltaQ",
    0x8040: "RateOfTurnHR", 0x8830: "GPSDOP", 0x8840: "GPSSOL", 0x8880: "GPSTimeUTC", 0x88A0: "GPSSVInfo",
    0xC020: "MagneticField", 0xD010: "VelocityXYZ", 0xE010: "StatusByte", 0xE020: "StatusWord",
}  # fmt: skip
FORMATS = ("Float32", "FP1220", "FP1632", "Float64")
FRAMES = {0x0: "EastNorthUp", 0x4: "NorthEastDown", 0x8: "NorthWestUp"}
IN_A_FRAME = (0x2010, 0x2020, 0x2030, 0xD010)
COMPONENTS = {1: (), 2: ("Lat", "Lon"), 3: ("X", "Y", "Z"), 4: ("Q0", "Q1", "Q2", "Q3"), 9: tuple("ABCDEFGHI")}
SHORT = {
    0x2010: "quat", 0x2020: "rot", 0x2030: "pry", 0x4010: "dv", 0x4020: "acc", 0x4030: "fr_acc", 0x8020: "rot",
    0x8030: "dq", 0xC020: "mag",
}  # fmt: skip
GNSS = (
    ("ITOW", "u4"), ("Year", "u2"), ("Month", "u1"), ("Day", "u1"), ("Hour", "u1"), ("Min", "u1"), ("Sec", "u1"),
    ("Valid", "u1"), ("TAcc", "u4"), ("Nano", "i4"), ("FixType", "u1"), ("Flags", "u1"), ("NumSV", "u1"),
    ("Reserved1", "u1"), ("Lon", "i4"), ("Lat", "i4"), ("Height", "i4"), ("HMSL", "i4"), ("HAcc", "u4"),
    ("VAcc", "u4"), ("VelN", "i4"), ("VelE", "i4"), ("VelD", "i4"), ("GSpeed", "i4"), ("HeadMot", "i4"),
    ("SAcc", "u4"), ("HeadAcc", "u4"), ("HeadVeh", "u4"), ("GDOP", "u2"), ("PDOP", "u2"), ("TDOP", "u2"),
    ("VDOP", "u2"), ("HDOP", "u2"), ("NDOP", "u2"), ("EDOP", "u2"),
)  # fmt: skip


def xsens_mti(stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a message of an MTi means, in the words of two peers; or an output configuration as text."""
    data = b"".join(packets)
    if not data.startswith(MARK) or "OutputConfiguration" in stream:
        found = parse_outputs(data)
        if not data:
            raise MalformedFrameError("no output configuration")
        return {"text": outputs_text(found)}
    message = parse_message(data)
    answer: dict[str, Any] = {"mid": message.mid}
    if message.mid == acknowledged(OUTPUT_CONFIGURATION):
        return answer | {"text": outputs_text(parse_outputs(message.data))}
    if message.mid != DATA:
        return answer | {"data": message.data.hex()}
    for number, item in enumerate(xsens.items(message.data)):
        answer |= _item(message.data, item, number)
    return answer


def outputs_text(outputs: Sequence[Output]) -> str:
    """Return an output configuration as one peer writes it."""
    rates = {0: "Max", 0xFFFF: "Max"}
    return "\n".join(f"{_name(o.id)}:\n  {rates.get(o.rate_hz, f'{o.rate_hz} Hz')}" for o in outputs)


def _name(identifier: int) -> str:
    kind = identifier & xsens.KIND
    name = NAMES.get(kind, f"DataType({kind})")
    if kind not in xsens.REALS:
        return name
    how = FORMATS[identifier & xsens.FORMAT]
    frame = FRAMES.get(identifier & xsens.FRAME, "?")
    return f"{name}({frame},{how})" if kind in IN_A_FRAME else f"{name}({how})"


def _item(data: bytes, item: Item, number: int) -> dict[str, Any]:
    name, own = _name(item.id), data[item.at : item.at + item.size]
    if (satellites := _of_satellites(item, own)) is not None:
        return {name: satellites}
    if not item.known:
        return {name: own.hex()}
    records = np.frombuffer(data, record_of(len(data), [item]))
    if item.kind in xsens.WHOLE:
        value = int(xsens.whole(records, item)[0])
        widths = {xsens.STATUS_BYTE: 8, xsens.STATUS_WORD: 32}
        text = f"{value:0{widths[item.kind]}b}" if item.kind in widths else str(value)
        return {name: text, f"u_{number}": value}
    values = [float(value) for value in xsens.reals(records, item)[0]]
    parts = COMPONENTS[len(values)]
    if not parts:
        return {name: np.format_float_positional(values[0], trim="-"), f"f_{number}": values[0]}
    return {name: dict(zip(parts, values, strict=True)), SHORT.get(item.kind, name): values}


def _of_satellites(item: Item, own: bytes) -> Any:
    """Return what a receiver tells: no stream is made of it."""
    if item.kind == xsens.UTC_TIME and item.size == 12:
        return _utc(own)
    if item.kind == 0x7010 and item.size == 94:
        record = np.frombuffer(own, np.dtype([(part, f">{how}") for part, how in GNSS]))[0]
        return {part: int(record[part]) for part, _ in GNSS}
    if item.kind == 0x7020 and item.size >= 8:
        return {"ITOW": int.from_bytes(own[:4], "big"), "NumSVS": own[4]} | {f"Res{k}": own[4 + k] for k in (1, 2, 3)}
    return None


def _utc(data: bytes) -> str:
    nanoseconds, year = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:6], "big")
    month, day, hour, minute, second = data[6:11]
    fraction = f".{nanoseconds:09}".rstrip("0").rstrip(".")
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"


def microstrain_mip(_stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a packet of MIP holds: its fields as bytes, and decoded where they are known."""
    data = b"".join(packets)
    descriptor_set, found = parse_packet(data)
    decoded: dict[str, Any] = {}
    for field in fields_of(MIP.message(data)):
        meaning = meaning_of(descriptor_set, field)
        if meaning is not None:
            decoded |= values_of(meaning, field.of(data))
    return {
        "descriptor_set": descriptor_set,
        "fields": [[descriptor, own.hex()] for descriptor, own in found],
        "decoded": decoded,
        "hex": data.hex(),
    }
