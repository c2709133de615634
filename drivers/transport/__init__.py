"""How bytes come: BLE over bleak, serial over pyserial, the radio, and who keeps a device streaming."""
