"""Pulse oximeters with the Bluetooth service 0x1822: what they measure without a break, and spot checks."""
