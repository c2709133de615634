"""Cycling Power (Bluetooth 0x1818): pedals, cranks and ergometers."""
