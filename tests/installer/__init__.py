"""Tests stand beside what they test in name."""
