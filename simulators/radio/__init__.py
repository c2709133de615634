"""The virtual radio and serial ports: real protocols without an antenna."""
