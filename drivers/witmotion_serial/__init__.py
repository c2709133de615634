"""WitMotion WT901 inertial sensors on a serial port."""
