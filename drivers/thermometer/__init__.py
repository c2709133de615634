"""Thermometers (Bluetooth Health Thermometer, 0x1809)."""
