"""The virtual radio and serial ports, and what a device on them is: real protocols without an antenna."""
