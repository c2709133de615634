"""Shimmer3 IMU with LogAndStream firmware over serial (RFCOMM)."""
