"""What foot and shank share: swings and strides."""
