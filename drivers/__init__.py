"""Devices: bytes in, samples out. Loads nothing: `drivers.registry` finds a driver when it is asked for."""
