"""Bytes cut into packets: the same as bumble's parser finds, however they come."""

from __future__ import annotations

import pytest
from bumble.core import InvalidPacketError
from bumble.transport.common import PacketParser
from hypothesis import given
from hypothesis import strategies as st

from simulators.radio.splitter import SHAPES, Splitter


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def on_packet(self, packet: bytes) -> None:
        self.packets.append(packet)


def packet(kind: int, head: bytes, body: bytes) -> bytes:
    shape = SHAPES[kind]
    head = head[: shape.length_at - 1].ljust(shape.length_at - 1, b"\0")
    return bytes([kind]) + head + len(body).to_bytes(shape.header - shape.length_at, "little") + body


PACKETS = st.lists(st.builds(packet, st.sampled_from(sorted(SHAPES)), st.binary(max_size=2), st.binary(max_size=255)))


@given(PACKETS, st.lists(st.integers(1, 40), min_size=1))
def test_packets_come_out_whole_and_in_order_as_bumbles_parser_has_them(packets: list[bytes], cuts: list[int]) -> None:
    ours, bumbles = Kept(), Kept()
    splitter, parser = Splitter(), PacketParser()
    splitter.set_packet_sink(ours)
    parser.set_packet_sink(bumbles)
    data, at, turn = b"".join(packets), 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        for reader in (splitter, parser):
            reader.feed_data(data[at : at + size])
        at, turn = at + size, turn + 1
    assert ours.packets == bumbles.packets == packets


def test_what_begins_no_packet_is_refused_and_what_comes_later_is_read() -> None:
    kept, splitter = Kept(), Splitter()
    splitter.set_packet_sink(kept)
    with pytest.raises(InvalidPacketError):
        splitter.feed_data(packet(4, b"\x0e", b"abc") + b"GET / HTTP/1.1")
    splitter.feed_data(packet(2, b"\x01\x20", b"d"))
    assert [each[-1:] for each in kept.packets] == [b"c", b"d"]


def test_a_packet_that_cannot_be_read_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()

    class Picky(Kept):
        def on_packet(self, packet: bytes) -> None:
            if packet.endswith(b"bad"):
                raise ValueError("bad")
            kept.on_packet(packet)

    splitter = Splitter()
    splitter.set_packet_sink(Picky())
    splitter.feed_data(packet(4, b"", b"bad") + packet(4, b"", b"good"))
    assert [each[-4:] for each in kept.packets] == [b"good"]
    assert "ValueError" in caplog.text
