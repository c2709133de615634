"""Inertial samples to orientation, through gaps and beside iron."""
