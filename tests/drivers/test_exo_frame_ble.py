"""The open exoskeleton frame in notifications; what they share with datagrams is tested beside those."""

from __future__ import annotations

from tests.drivers.exo_frame_parts import PartsContract


class TestContract(PartsContract):
    name = "exo_frame_ble"
