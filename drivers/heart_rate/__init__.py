"""Straps and armbands with the Bluetooth heart rate service."""
