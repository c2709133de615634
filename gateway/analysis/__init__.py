"""Samples on gateway time in, measurements out: operators by who wears what where. No clock, file or broker."""
