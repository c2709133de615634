"""Notifications on their short way are, byte for byte, what bumble makes of them."""

from __future__ import annotations

import pytest
from bumble import att, hci, l2cap
from hypothesis import given
from hypothesis import strategies as st

from simulators.radio.notification import MOST_BYTES, decode, encode

CONNECTION, ATTRIBUTE = 0x0123, 0x0042


def packet(pdu: bytes, *, connection: int = CONNECTION, channel: int = att.ATT_CID, boundary: int = 2) -> bytes:
    """Return an HCI packet as bumble writes it."""
    data = bytes(l2cap.L2CAP_PDU(channel, pdu))
    return bytes(hci.HCI_AclDataPacket(connection, boundary, 0, len(data), data))


@given(st.binary(max_size=MOST_BYTES))
def test_both_ways_agree_with_bumble(value: bytes) -> None:
    pdu = bytes(att.ATT_Handle_Value_Notification(attribute_handle=ATTRIBUTE, attribute_value=value))
    assert encode(ATTRIBUTE, value) == bytes(l2cap.L2CAP_PDU(att.ATT_CID, pdu))
    assert decode(packet(pdu)) == (CONNECTION, ATTRIBUTE, value)


@pytest.mark.parametrize(
    "other",
    [
        b"",
        packet(b""),
        packet(bytes(att.ATT_Write_Response())),
        packet(bytes(att.ATT_Handle_Value_Notification(attribute_handle=1, attribute_value=b"x")), channel=0x40),
        packet(bytes(att.ATT_Handle_Value_Notification(attribute_handle=1, attribute_value=b"x")), boundary=1),
        packet(bytes(att.ATT_Handle_Value_Notification(attribute_handle=1, attribute_value=b"x")))[:-1],
        packet(bytes(att.ATT_Handle_Value_Notification(attribute_handle=1, attribute_value=b"x"))) + b"x",
    ],
)
def test_every_other_packet_goes_the_long_way(other: bytes) -> None:
    assert decode(other) is None


@given(st.binary(max_size=64))
def test_any_bytes_are_looked_at_without_harm(data: bytes) -> None:
    decode(data)
