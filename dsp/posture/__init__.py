"""Posture from one sensor: lying, sitting, standing, walking or on stairs, wherever it is strapped on."""
