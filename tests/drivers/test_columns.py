"""Devices of one kind that are set up differently, decoded together: each as it is alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest

from drivers.contract import same
from drivers.driver import Decoder
from drivers.packet import Frame, Frames, Packet
from drivers.registry import make_driver
from drivers.vesc.packet import packet
from tests.drivers.exo_frames import BOTH_LEGS, LEFT_ANKLE, device, legs, limb
from tests.drivers.test_movesense import data as notified
from tests.drivers.test_movesense import imu
from tests.drivers.test_openbci_cyton import packet as cyton
from tests.drivers.test_openexo import ANKLES, greeting
from tests.drivers.test_vesc import payload

Wire = tuple[dict[str, Any], Sequence[bytes]]  # options of a device, and what comes of it

HIP = {"joint": "left_hip", "pole_pairs": 7, "gear_ratio": 50.0}
ANSWERS = [packet(payload(1000 + k, fault=k // 3)) for k in range(5)]
WALKING = [b"S?11c123n119n-50n-46n81n%dn2n0n800n1234n1189n" % k for k in range(4)]
STEPPING = [b"S?11c%dn100n200n300n400n500n600n700n800n800nn" % k for k in range(4)]
LINES = [b"1,2,3\r\n", *(b"%d,%d,%d\r\n" % (k, k * k, 7) for k in (1, 2, 5, 6))]
COUNTED = {"stream": "imu", "rate_hz": 100.0, "values": ["count", "acc_x g", "acc_y g"], "count_bits": 8}
ROWS = [(float(n), 0.0, 9.8, float(-n), 1.0, float("nan") if n == 2 else 0.5) for n in range(6)]

KINDS: dict[str, tuple[str, list[Wire]]] = {
    "vesc": (
        "data",
        [
            ({}, ANSWERS),
            ({"joint": "right_knee", "nm_per_ampere": 0.5}, [ANSWERS[1][:30], ANSWERS[1][30:], *ANSWERS[2:]]),
            (HIP, [b"\x02\x03", *ANSWERS[:2]]),
            (HIP | {"joint": "right_hip", "gear_ratio": -20.0}, ANSWERS[3:]),
            (HIP, []),
        ],
    ),
    "openexo": (
        "measurement",
        [
            ({}, [*greeting(ANKLES), *WALKING, b"S~1c2400n"]),
            ({"joints": "hip"}, STEPPING),
            ({}, WALKING),
            ({"joints": "elbow"}, STEPPING[:2]),
            ({"joints": "ankle"}, WALKING[1:]),
        ],
    ),
    "exo_frame": (
        "data",
        [
            ({}, [device(LEFT_ANKLE), *(limb(k, angle=k) for k in range(4))]),
            ({}, [device(BOTH_LEGS), *(legs(k) for k in (0, 1, 5, 6)), b"\x05\x01\x00"]),
            ({}, [limb(1)]),
            ({}, [device(LEFT_ANKLE), limb(3), limb(4, joint="hip")]),
        ],
    ),
    "movesense": (
        "measurement",
        [
            ({}, [*(notified("imu", imu(9 * k, *ROWS[:k])) for k in (4, 2)), b"\x02\x08\0\0\x80\x42\1\3"]),
            ({"streams": ["imu"], "rates": {"imu": 52}}, [notified("imu", imu(19 * k, ROWS[k])) for k in range(6)]),
            ({"streams": ["acceleration"]}, [notified("acceleration", imu(9 * k, ROWS[k][:3])) for k in range(5)]),
            ({"streams": ["ecg"]}, [notified("ecg", struct.pack("<Iii", 5 * k, k, -k)) for k in range(5)]),
        ],
    ),
    "declared_serial": (
        "data",
        [
            ({"values": ["time ms", "a.one V", "a.two V"]}, LINES),
            ({"values": ["time ms", "a.one V", "a.two V 0.5"]}, [*LINES, b"-1,0,0\r\n", b"8,nan,1\r\n"]),
            (COUNTED, LINES),
            (COUNTED, [b"0,0,0\r\n", b"300,1,1\r\n", *LINES[2:]]),
            ({"values": ["a.one V", "b.two V", "-"], "missing": 7}, LINES),
        ],
    ),
    "openbci_cyton": (
        "data",
        [
            ({}, list(map(cyton, range(5)))),
            ({"gain": 6}, [b"\xa0", *map(cyton, range(3))]),
            ({}, [cyton(250), cyton(3)]),
            ({"gain": 24}, []),
        ],
    ),
}  # fmt: skip


def each_of(decoders: Sequence[Decoder], chunks: Sequence[Sequence[Frame]]) -> list[dict[str, Packet]]:
    found: list[dict[str, Packet]] = [{} for _ in decoders]
    for packets in type(decoders[0]).decode_batch(decoders, Frames.of(chunks)):
        assert packets.fits(len(decoders))
        for at, own in packets.each():
            assert own.stream not in found[at]
            found[at][own.stream] = own
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("cut", range(5))
def test_each_is_decoded_as_alone_whatever_its_neighbours_are_set_to(kind: str, cut: int, *, backwards: bool) -> None:
    channel, wires = KINDS[kind]
    wires = wires[::-1] if backwards else wires
    alone, together = ([make_driver(kind, options).decoder() for options, _ in wires] for _ in range(2))
    frames = [[Frame(10_000_000 * k, channel, piece) for k, piece in enumerate(pieces)] for _, pieces in wires]
    told = 0
    for part in (slice(0, cut), slice(cut, None)):
        chunks = [own[part] for own in frames]
        for decoder, own, found in zip(alone, chunks, each_of(together, chunks), strict=True):
            same({packet.stream: packet for packet in decoder.decode(own)}, found)
            told += len(found)
    assert told >= 3
    assert [decoder.faults for decoder in alone] == [decoder.faults for decoder in together]
