"""Benchmarks: ``make bench`` runs them all; each file also runs by itself (``python -m benchmarks.ward``)."""
