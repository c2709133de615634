"""MbientLab MetaMotion inertial sensors over Bluetooth LE."""
