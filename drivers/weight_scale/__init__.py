"""Weight scales (Bluetooth 0x181D)."""
