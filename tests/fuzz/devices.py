"""Every driver's decoder, beginning with the frames of its contract test: a new driver is fuzzed too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module

from hypothesis import strategies as st

from drivers.contract import CHANNELS, DriverContract, check_packet
from drivers.packet import Frame
from drivers.registry import driver_names, example_driver
from tests.fuzz.target import Target

STEP_NS = 10_000_000
GREETED = 0x80  # in the first byte: the device has said what it is before the input begins
SPLIT = 0x7F  # in the first byte: how many frames go into one call; 0 for all
LONGEST_FRAME = 255
SHARE, SLOW_SHARE = 14, 8  # of the inputs; a decoder of a byte stream takes ten times as long as one of packets
SLOW = ("shimmer3",)


def targets() -> list[Target]:
    """Return one target a driver."""
    return [_target(name) for name in driver_names()]


def packed(frames: Iterable[Frame], first: int = 0) -> bytes:
    """Return frames as the input that stands for them; long ones become several."""
    data = bytearray([first])
    for frame in frames:
        channel = CHANNELS.index(frame.channel) if frame.channel in CHANNELS else 0
        for at in range(0, len(frame.data), LONGEST_FRAME):
            part = frame.data[at : at + LONGEST_FRAME]
            data += bytes((channel, len(part))) + part
    return bytes(data)


def unpacked(data: bytes) -> list[Frame]:
    """Return the frames that an input stands for: channel, length, bytes, again and again."""
    frames: list[Frame] = []
    at = 1
    while at + 1 < len(data):
        size = data[at + 1]
        channel = CHANNELS[data[at] % len(CHANNELS)]
        frames.append(Frame(STEP_NS * len(frames), channel, data[at + 2 : at + 2 + size]))
        at += 2 + size
    return frames


def _target(name: str) -> Target:
    contract = contract_of(name)
    driver, announced = example_driver(name), contract.announced()

    def run(data: bytes) -> None:
        first = data[0] if data else 0
        decoder, frames = driver.decoder(), unpacked(data)
        if first & GREETED:
            decoder.decode(announced)
        size = first & SPLIT or max(1, len(frames))
        for at in range(0, len(frames), size):
            for packet in decoder.decode(frames[at : at + size]):
                check_packet(packet, decoder.streams[packet.stream])

    good = [packed(announced), packed([*announced, *contract.streamed(12)]), packed(contract.streamed(12), GREETED)]
    good += [
        packed(contract.streamed(9), GREETED | 3),
        packed(contract.resplit(contract.streamed(9), [7, 31]), GREETED),
    ]
    return Target(
        name=f"decoder {name}",
        run=run,
        seeds=good,
        inputs=_inputs(contract.streamed(6)),
        share=SLOW_SHARE if name in SLOW else SHARE,
    )


def contract_of(name: str) -> DriverContract:
    """Return the contract test of a driver, which has frames of a good connection."""
    found = vars(import_module(f"tests.drivers.test_{name}")).values()
    kinds = [k for k in found if isinstance(k, type) and issubclass(k, DriverContract) and k is not DriverContract]
    return kinds[0]()


def _inputs(good: Sequence[Frame]) -> st.SearchStrategy[bytes]:
    junk = st.builds(Frame, st.just(0), st.sampled_from(CHANNELS), st.binary(min_size=1, max_size=90))
    frames = st.lists(st.sampled_from(good) | junk, max_size=10)
    return st.builds(packed, frames, st.integers(0, 255))
