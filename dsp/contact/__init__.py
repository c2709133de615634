"""What foot and shank share: events, swings and strides."""
