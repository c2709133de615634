"""What Bluetooth devices of all makes share: characteristics and their identifiers."""
