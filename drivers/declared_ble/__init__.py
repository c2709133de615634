"""Devices that notify over Bluetooth and that the configuration declares."""
