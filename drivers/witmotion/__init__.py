"""WitMotion WT901 inertial sensors over Bluetooth LE; what they share with those on a serial port."""
