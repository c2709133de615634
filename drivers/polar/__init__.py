"""Polar sensors over BLE: heart rate, and what their measurement data service streams."""
