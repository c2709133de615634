"""The open exoskeleton frame: telemetry of makers who adapt to it, over a serial port."""
