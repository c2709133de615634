"""Sensors on shanks: contacts."""
