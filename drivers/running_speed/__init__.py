"""Running Speed and Cadence (Bluetooth 0x1814): foot pods, and treadmills that have it."""
