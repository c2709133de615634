"""Every Bluetooth driver against its simulator over the real bluetoothd: `make radio`."""
