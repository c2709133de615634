"""Oxygen saturation and pulse as an oximeter reports them, and when they are none."""
