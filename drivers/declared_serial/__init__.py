"""Devices behind a serial port that the configuration declares."""
