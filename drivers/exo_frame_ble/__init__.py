"""The open exoskeleton frame in notifications of Bluetooth."""
