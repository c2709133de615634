"""Movella DOT inertial sensors over BLE."""
