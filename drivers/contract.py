"""What every driver promises; each driver's test file subclasses `DriverContract` and gets these tests.

For whoever writes a driver, here or in a package of their own. It needs pytest and hypothesis, which a gateway does
not. As a plug-in of pytest (``-p drivers.contract --contract-of NAME``) it fails where a driver has no such test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.driver import Decoder, Driver
from drivers.packet import Frame, Frames, Packet, StreamSpec
from drivers.registry import example_driver, load_driver, make_driver

CHANNELS = (
    "measurement", "data", "control", "battery", "inquiry", "calibration", "firmware", "connected", "spot", "clock",
    "machine_status", "training_status", "error", "foreign", "gait",
)  # fmt: skip
# Each driver runs these tests from its own subclass, which hypothesis takes for an accident.
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])

frames_of_junk = st.lists(
    st.builds(
        Frame, st.integers(0, 1 << 40), st.sampled_from(CHANNELS), st.binary(max_size=90) | st.binary(min_size=500)
    ),
    max_size=12,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contract-of", action="append", default=[], metavar="DRIVER", help="it must be tested here")


def pytest_collection_finish(session: pytest.Session) -> None:
    kinds = {item.cls for item in session.items if isinstance(item, pytest.Function) and item.cls}
    tested = {kind.name for kind in kinds if issubclass(kind, DriverContract)}
    if missing := [name for name in session.config.getoption("--contract-of") if name not in tested]:
        raise pytest.UsageError(f"no test class made from DriverContract has the name '{missing[0]}'")


def decoded(decoder: Decoder, chunks: Sequence[Sequence[Frame]]) -> dict[str, Packet]:
    """Decode chunk by chunk and join what came of each stream."""
    parts: dict[str, list[Packet]] = {}
    for chunk in chunks:
        packets = decoder.decode(chunk)
        names = [packet.stream for packet in packets]
        assert len(names) == len(set(names)), "at most one packet a stream and call"
        for packet in packets:
            check_packet(packet, decoder.streams[packet.stream])
            parts.setdefault(packet.stream, []).append(packet)
    return {name: Packet.joined(packets) for name, packets in parts.items()}


def check_packet(packet: Packet, spec: StreamSpec) -> None:
    n = len(packet)
    assert n > 0, "a decoder returns no empty packets"
    assert packet.samples.shape == (n, len(spec.channels))
    assert packet.samples.dtype == np.float64
    assert packet.arrival_ns.shape == packet.flags.shape == (n,)
    assert packet.ticks.shape == ((n,) if spec.tick_hz else (0,))
    assert packet.arrival_ns.dtype == packet.ticks.dtype == np.int64
    assert packet.flags.dtype == np.uint8
    assert not np.isinf(packet.samples).any()
    if spec.tick_hz:
        assert ((packet.ticks >= 0) & (packet.ticks < 2**spec.tick_bits)).all()


def same(left: dict[str, Packet], right: dict[str, Packet]) -> None:
    assert left.keys() == right.keys()
    for name, packet in left.items():
        for field in ("arrival_ns", "ticks", "samples", "flags"):
            assert getattr(packet, field).tobytes() == getattr(right[name], field).tobytes(), (name, field)


class DriverContract(ABC):
    """Subclass with the driver's name and frames of a good connection."""

    name: ClassVar[str]
    main_stream: ClassVar[str]
    forbidden: ClassVar[Sequence[tuple[str, bytes]]]  # writes that the driver must never make
    allowed: ClassVar[Sequence[tuple[str, bytes]]] = ()

    @abstractmethod
    def announced(self) -> list[Frame]:
        """Frames of the start dialogue."""

    @abstractmethod
    def streamed(self, count: int) -> list[Frame]:
        """Frames of ``count`` good samples of the main stream (`samples_a_frame` times that), and what lies between."""

    @abstractmethod
    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        """The same bytes as other frames, where the transport may cut them elsewhere (serial); else as they are."""

    def packed(self, count: int) -> list[Frame]:
        """Frames of about ``count`` good samples of the main stream, as many in each as a device sends."""
        return self.streamed(-(-count // self.samples_a_frame))

    lost_at_end: ClassVar[int] = 0  # samples that a decoder keeps back until more comes
    samples_a_frame: ClassVar[int] = 1  # of the main stream

    def driver(self) -> Driver:
        return example_driver(self.name)

    def test_the_registry_names_it(self) -> None:
        assert load_driver(self.name).name == self.name
        assert load_driver(self.name).title
        assert (load_driver(self.name).__doc__ or "").strip()

    def test_streams_have_a_unit_for_each_channel(self) -> None:
        decoder = self.driver().decoder()
        decoder.decode(self.announced())
        assert self.main_stream in decoder.streams
        for name, spec in decoder.streams.items():
            assert name == spec.name
            assert len(spec.channels) == len(spec.units) == len(set(spec.channels))
            assert all(spec.units)
            assert spec.rate_hz is None or spec.rate_hz > 0

    def test_good_frames_all_decode(self) -> None:
        decoder = self.driver().decoder()
        got = decoded(decoder, [self.announced() + self.streamed(50)])
        assert len(got[self.main_stream]) == 50 * self.samples_a_frame - self.lost_at_end
        assert not decoder.faults

    @FUZZ
    @given(st.data())
    def test_any_chunking_gives_the_same_bits(self, data: st.DataObject) -> None:
        frames = self.announced() + self.streamed(30)
        cuts = data.draw(st.lists(st.integers(0, len(frames)), max_size=12).map(sorted))
        chunks = [frames[a:b] for a, b in pairwise([0, *cuts, len(frames)])]
        whole, pieces = self.driver().decoder(), self.driver().decoder()
        same(decoded(whole, [frames]), decoded(pieces, chunks))
        assert whole.faults == pieces.faults

    @FUZZ
    @given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
    def test_other_frames_of_the_same_bytes_give_the_same_samples(self, sizes: list[int]) -> None:
        frames = self.streamed(30)
        other = self.resplit(frames, sizes)
        one = decoded(self.driver().decoder(), [self.announced(), frames])[self.main_stream]
        two = decoded(self.driver().decoder(), [self.announced(), other])[self.main_stream]
        assert one.samples.tobytes() == two.samples.tobytes()
        assert one.ticks.tobytes() == two.ticks.tobytes()

    @FUZZ
    @given(frames_of_junk, st.booleans())
    def test_junk_never_raises_and_chunks_alike(self, junk: list[Frame], after_start: bool) -> None:
        frames = (self.announced() if after_start else []) + junk
        whole, single = self.driver().decoder(), self.driver().decoder()
        same(decoded(whole, [frames]), decoded(single, [[frame] for frame in frames]))
        assert whole.faults == single.faults
        assert all(count > 0 for count in whole.faults.values())

    @FUZZ
    @given(st.data())
    def test_many_devices_at_once_are_each_decoded_as_alone(self, data: st.DataObject) -> None:
        """Whole and spoilt streams side by side, in two steps: neighbours change nothing."""
        good = self.announced() + self.streamed(30)
        wires = []
        for _ in range(data.draw(st.integers(1, 4))):
            wire, at = list(good), data.draw(st.integers(0, len(good)))
            wire[at:at] = data.draw(st.just([]) | frames_of_junk)
            wires.append((wire, data.draw(st.integers(0, len(wire)))))
        alone = [self.driver().decoder() for _ in wires]
        together = [self.driver().decoder() for _ in wires]
        batched = [self.driver().decoder() for _ in wires]
        for first in (True, False):
            chunks = [wire[:cut] if first else wire[cut:] for wire, cut in wires]
            many = type(together[0]).decode_many(list(zip(together, chunks, strict=True)))
            batch = type(together[0]).decode_batch(batched, Frames.of(chunks))
            each: list[dict[str, Packet]] = [{} for _ in wires]
            for at, packet in (found for packets in batch for found in packets.each()):
                assert packet.stream not in each[at], "at most one packet a stream and device"
                each[at][packet.stream] = packet
            for decoder, chunk, packets, found in zip(alone, chunks, many, each, strict=True):
                single = decoder.decode(chunk)
                same({p.stream: p for p in single}, {p.stream: p for p in packets})
                same({p.stream: p for p in single}, found)
        assert [decoder.faults for decoder in alone] == [decoder.faults for decoder in together]
        assert [decoder.faults for decoder in alone] == [decoder.faults for decoder in batched]

    @FUZZ
    @given(st.integers(1, 100), st.integers(0, 29))
    def test_a_truncated_frame_is_counted_and_its_neighbours_live(self, cut: int, at: int) -> None:
        frames = self.streamed(36)  # some follow the cut one: what ends a recording may still be undecided
        victim = next(i for i in range(at, len(frames)) if frames[i].channel in self.driver().live)
        short = frames[victim].data[: max(0, len(frames[victim].data) - cut)]
        decoder = self.driver().decoder()
        good = decoded(self.driver().decoder(), [self.announced() + frames])[self.main_stream]
        got = decoded(
            decoder, [self.announced(), [*frames[:victim], frames[victim]._replace(data=short), *frames[victim + 1 :]]]
        )
        left = got[self.main_stream]
        assert sum(decoder.faults.values()) > 0 or self.harmless(frames[victim].data, short)
        assert len(good) - 4 * self.samples_a_frame <= len(left) <= len(good)
        rows = {row.tobytes() for row in good.samples}
        assert all(row.tobytes() in rows for row in left.samples), "nothing invented"

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        """Whether a cut frame is still a good one (padding cut, or a shorter list)."""
        del whole, cut
        return False

    def test_an_oversized_frame_is_counted_and_its_neighbours_live(self) -> None:
        frames = self.streamed(30)
        frames.insert(15, frames[15]._replace(data=frames[15].data + bytes(range(1, 200)) * 5))
        decoder = self.driver().decoder()
        got = decoded(decoder, [self.announced(), frames])[self.main_stream]
        assert decoder.faults
        assert len(got) >= 27 * self.samples_a_frame - self.lost_at_end

    def test_the_allow_list_refuses_anything_else(self) -> None:
        driver = self.driver()
        for characteristic, data in self.allowed:
            assert driver.allows(characteristic, data), (characteristic, data)
        for characteristic, data in self.forbidden:
            assert not driver.allows(characteristic, data), (characteristic, data)

    @FUZZ
    @given(st.text(max_size=40), st.binary(max_size=40))
    def test_the_allow_list_refuses_what_it_does_not_know(self, characteristic: str, data: bytes) -> None:
        if (characteristic, data) not in self.allowed:
            assert not self.driver().allows(characteristic or "?", data)

    def test_an_unknown_option_is_refused_by_name(self) -> None:
        with pytest.raises(ValueError, match=f"driver '{self.name}' has no option 'nonsense'"):
            make_driver(self.name, {"nonsense": 1})

    def test_two_decoders_share_nothing(self) -> None:
        driver = self.driver()
        spoiled, fresh = driver.decoder(), driver.decoder()
        spoiled.decode([Frame(0, channel, b"\x00\xff\x80" * 7) for channel in CHANNELS])
        assert not fresh.faults
        got = decoded(fresh, [self.announced() + self.streamed(5)])
        assert len(got[self.main_stream]) == 5 * self.samples_a_frame - self.lost_at_end
