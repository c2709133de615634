"""ORPHE INSOLE pressure insoles over Bluetooth LE."""
