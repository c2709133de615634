"""What the devices sent, byte for byte: the file, recorder and replay, a trial of other settings, two runs compared."""
