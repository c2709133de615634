"""Blood pressure monitors (Bluetooth 0x1810)."""
