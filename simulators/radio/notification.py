"""Notifications on their short way: the same bytes as bumble's, without its objects for each.

A ward of seventy beds sends 14,000 notifications a second. Through every layer of bumble, twice, each costs more than
half a millisecond of processor time; all other packets, which are few, go that way.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from simulators.radio.link import ACL_LENGTH

_PACKET = struct.Struct("<BHHHHBH")  # H4 type, handle and flags, ACL length, L2CAP length, channel, opcode, attribute
_PDU = struct.Struct("<HHBH")  # the same from the L2CAP length on
_ACL_DATA = 0x02  # H4 (Core 5.0, Vol 4, Part A, 2)
_HANDLE = 0x0FFF  # bits of the connection handle (Vol 4, Part E, 5.4.2)
_CONTINUES = 0x1000  # the packet boundary flag of a continuing fragment
_ATT_CHANNEL = 0x0004  # Vol 3, Part A, 2.1
_NOTIFICATION = 0x1B  # Vol 3, Part F, 3.4.7.1
_PDU_HEADER = 3  # opcode and attribute handle
MOST_BYTES = ACL_LENGTH - _PDU.size  # of a value that goes in one packet


class Notification(NamedTuple):
    """A value that a peripheral has sent; its fields have the names that bumble's object has.

    Attributes:
        connection: Handle of the connection at the receiver.
        attribute_handle: Of the characteristic.
        attribute_value: The value.
    """

    connection: int
    attribute_handle: int
    attribute_value: bytes


def encode(attribute: int, value: bytes) -> bytes:
    """Return the L2CAP packet of a notification; ``value`` has at most `MOST_BYTES`."""
    return _PDU.pack(_PDU_HEADER + len(value), _ATT_CHANNEL, _NOTIFICATION, attribute) + value


def decode(packet: bytes) -> Notification | None:
    """Return the notification that an HCI packet with its type byte carries whole; None for every other packet."""
    if len(packet) < _PACKET.size or packet[0] != _ACL_DATA:
        return None
    _, connection, acl, l2cap, channel, opcode, attribute = _PACKET.unpack_from(packet)
    whole = acl == l2cap + 4 == len(packet) - 5  # headers of L2CAP, and of H4 with ACL
    if not whole or connection & _CONTINUES or channel != _ATT_CHANNEL or opcode != _NOTIFICATION:
        return None
    return Notification(connection & _HANDLE, attribute, packet[_PACKET.size :])
