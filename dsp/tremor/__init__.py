"""Tremor of a hand, wrist or leg."""
