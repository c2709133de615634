"""Repetitions of an exercise: how many, how far, how even and how smooth, against what was prescribed."""
