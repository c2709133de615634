"""The air between simulated radios: bumble's link and controller, with their faults for our use worked round.

Found in bumble 0.0.236, and kept under test (tests/simulators/test_link.py), so that an upgrade shows what changed:

1. `LocalLink.send_acl_data` names the sender by its current random address, not by the address of the
   connection, so that data is lost once the address changes;
2. ``LE Create Connection Cancel`` answers success and cancels nothing: a connect time-out hangs, and the
   connection appears later;
3. each advertisement is reported twice, the second time as a scan response with the advertisement's own data;
   scan response data is never sent, so all we advertise fits into the 31 bytes of the advertisement, and who scans
   actively gets an empty response;
4. a central that starts to connect to a peripheral which has just been taken believes that it is connected.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Any

from bumble import hci, link, ll
from bumble.controller import Connection, Controller, LegacyAdvertiser
from bumble.core import PhysicalTransport

ACL_LENGTH = 251  # bytes of one link layer packet with data length extension (Core 5.0, Vol 6, Part B, 4.5.10)
RSSI_DBM = -50
ACTIVE = 1  # kind of scan in which advertisers are asked for more (Core 5.0, Vol 4, Part E, 7.8.10)
REPORT_S = 0.5  # between two reports of one advertiser: a controller leaves out what it has just reported

_ACL = struct.Struct("<BHH")  # H4 type, handle and flags, length (Core 5.0, Vol 4, Part E, 5.4.2)
_ACL_DATA = 0x02
_FIRST = 0x2000  # the packet boundary flag of a first fragment


class SimulatedLink(link.LocalLink):  # type: ignore[misc] # bumble is untyped to us
    """Carries packets between the controllers of one process.

    Attributes:
        by_address: Controllers by public address; ours all have one, which spares a search for each packet.
        listeners: Controllers that scan or wait for a peripheral: mostly none, or one gateway among many devices.
    """

    def __init__(self) -> None:
        super().__init__()
        self.by_address: dict[hci.Address, SimulatedController] = {}
        self.listeners: dict[SimulatedController, None] = {}  # in the order in which they began

    def add_controller(self, controller: SimulatedController) -> None:
        """Let a controller hear and be heard."""
        super().add_controller(controller)
        self.by_address[controller.public_address] = controller

    def remove_controller(self, controller: SimulatedController) -> None:
        """Take a controller away; what is still sent to it is lost."""
        super().remove_controller(controller)
        self.listeners.pop(controller, None)
        if self.by_address.get(controller.public_address) is controller:
            del self.by_address[controller.public_address]

    def find_le_controller(self, address: hci.Address) -> SimulatedController | None:
        """Return the controller that uses ``address``, or None."""
        found: SimulatedController | None = self.by_address.get(address) or super().find_le_controller(address)
        return found

    def is_writable(self, address: hci.Address) -> bool:
        """Whether the host behind ``address`` takes data at present, or there is none."""
        controller = self.by_address.get(address)
        return controller is None or controller.writable

    def send_acl_data(
        self,
        sender_controller: SimulatedController,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Deliver one packet of a connection, under the address that the connection was made with (fault 1)."""
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is not None and receiver is not None:
            loop = asyncio.get_running_loop()
            loop.call_soon(receiver.on_link_acl_data, connection.self_address, transport, data)

    def send_advertising_pdu(self, sender_controller: SimulatedController, packet: ll.AdvertisingPdu) -> None:
        """Send an advertisement to all that listen; a connection request only, and at once, to its advertiser."""
        if isinstance(packet, ll.ConnectInd):
            if (receiver := self.find_le_controller(packet.advertiser_address)) is not None:
                receiver.on_ll_advertising_pdu(packet)
            return
        for controller in self.listeners:
            if controller is not sender_controller:
                asyncio.get_running_loop().call_soon(controller.on_ll_advertising_pdu, packet)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Deliver a control packet; one to a controller that has just gone is lost, as it is in the air."""
        if (receiver := self.find_le_controller(receiver_address)) is not None:
            asyncio.get_running_loop().call_soon(receiver.on_ll_control_pdu, sender_address, packet)


class _Advertiser(LegacyAdvertiser):  # type: ignore[misc] # bumble is untyped to us
    """An advertiser that makes no packet where nobody listens: three hundred devices have 3,000 a second to send."""

    def send_advertising_data(self) -> None:
        if self.controller.link.listeners:
            super().send_advertising_data()


class SimulatedController(Controller):  # type: ignore[misc] # bumble is untyped to us
    """A Bluetooth LE controller with legacy advertising, at a fixed public address.

    Attributes:
        writable: Whether the host of this controller takes what it is sent at present.
    """

    le_features = Controller.le_features & ~(
        hci.LeFeatureMask.LL_PRIVACY
        | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
    )
    le_acl_data_packet_length = ACL_LENGTH
    host: Any

    def __init__(self, name: str, *, air: SimulatedLink, address: hci.Address) -> None:
        self._air = air
        self._scans = False
        self._reported: dict[hci.Address, float] = {}
        self._pending: hci.HCI_LE_Create_Connection_Command | None = None
        super().__init__(name, link=air, public_address=address)
        self.le_legacy_advertiser = _Advertiser(self)
        self.writable = True

    @property
    def le_scan_enable(self) -> bool:
        """Whether this controller scans; bumble sets it."""
        return self._scans

    @le_scan_enable.setter
    def le_scan_enable(self, scans: bool) -> None:
        self._scans = bool(scans)
        self._reported.clear()
        self._listen()

    @property
    def pending_le_connection(self) -> hci.HCI_LE_Create_Connection_Command | None:
        """The peripheral that this controller waits for, to connect to it; bumble sets it."""
        return self._pending

    @pending_le_connection.setter
    def pending_le_connection(self, command: hci.HCI_LE_Create_Connection_Command | None) -> None:
        self._pending = command
        self._listen()

    def _listen(self) -> None:
        """Have advertisements delivered while this controller listens, and only then."""
        if self._scans or self._pending is not None:
            self._air.listeners[self] = None
        else:
            self._air.listeners.pop(self, None)

    def send_notifications(self, peer_address: hci.Address, packets: Sequence[bytes]) -> None:
        """Send L2CAP packets over a connection, past the host's queue; lost where there is no connection."""
        connection = self.le_connections.get(peer_address)
        receiver = self._air.find_le_controller(peer_address)
        if connection is not None and receiver is not None:
            asyncio.get_running_loop().call_soon(receiver.on_link_packets, connection.self_address, packets)

    def on_link_packets(self, sender_address: hci.Address, packets: Sequence[bytes]) -> None:
        """Hand packets of one sender to the host."""
        for packet in packets:
            self.on_link_acl_data(sender_address, PhysicalTransport.LE, packet)

    def on_link_acl_data(self, sender_address: hci.Address, transport: PhysicalTransport, data: bytes) -> None:  # noqa: ARG002 - all of ours is LE
        """Hand a packet to the host, as bumble does, without an object for each."""
        connection = self.le_connections.get(sender_address)
        if connection is None or self.host is None:
            return
        self.host.on_packet(_ACL.pack(_ACL_DATA, connection.handle | _FIRST, len(data)) + data)

    def on_advertising_pdu(self, pdu: ll.AdvInd) -> None:
        """Report an advertisement once (fault 3), and connect if it is the one that is waited for."""
        if self._scans and self._is_due(pdu.advertiser_address):
            self._report(pdu, hci.HCI_LE_Advertising_Report_Event.EventType.ADV_IND, pdu.data)
            if self.le_scan_type == ACTIVE:  # Linux tells of an advertiser only once it has answered, or the scan ends
                self._report(pdu, hci.HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP, b"")
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def _report(self, pdu: ll.AdvInd, kind: int, data: bytes) -> None:
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=kind,
            address_type=pdu.advertiser_address.address_type,
            address=pdu.advertiser_address,
            data=data,
            rssi=RSSI_DBM,
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))

    def _is_due(self, advertiser: hci.Address) -> bool:
        """Whether an advertiser has not been reported a moment ago."""
        now = asyncio.get_running_loop().time()
        if now - self._reported.get(advertiser, -REPORT_S) < REPORT_S:
            return False
        self._reported[advertiser] = now
        return True

    def create_le_connection(self, peer_address: hci.Address) -> None:
        """Connect, unless the peripheral has meanwhile stopped advertising (fault 4): then keep waiting."""
        peer = self.link.find_le_controller(peer_address)
        if peer is not None and peer.is_advertising:
            super().create_le_connection(peer_address)

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Cancel (fault 2); see Core 5.0, Vol 4, Part E, 7.8.13."""
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )
        return super().on_hci_le_create_connection_cancel_command(command)

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """End a connection; once is enough when both ends drop it at the same moment."""
        if self.le_connections.get(connection.peer_address) is connection:
            super().on_le_disconnected(connection, reason)

    def remove(self) -> None:
        """Vanish: the peers of this controller see their connections time out."""
        self.le_legacy_advertiser.stop()
        self.host = None
        for connection in list(self.le_connections.values()):
            connection.send_ll_control_pdu(ll.TerminateInd(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR))
        self.le_connections.clear()
        self.pending_le_connection = None
        self.link.remove_controller(self)
