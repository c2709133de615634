"""Devices that have no driver of their own: the configuration says what a line of theirs holds, or a frame of bytes."""
