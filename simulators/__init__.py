"""Devices that are not there: bodies, sensors and radios that speak the real protocols, with known truth."""
