"""Movesense sensors over BLE, with the firmware that speaks the open GATT SensorData Protocol."""
