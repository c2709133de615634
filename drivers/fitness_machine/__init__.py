"""Fitness Machine (Bluetooth 0x1826): treadmills, cross trainers, bikes, rowers, climbers. Read, never steered."""
