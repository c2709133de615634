"""What the devices sent, byte for byte: the file, the recorder, the replay."""
