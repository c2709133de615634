"""Devices that are not there, a file each: wire encoders and their dialogues."""
