"""Frames of devices in, samples on gateway time out, step by step. Knows nothing of who wears the device."""
