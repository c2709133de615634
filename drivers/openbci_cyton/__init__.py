"""OpenBCI Cyton boards: eight electrodes and an accelerometer, through the board's own USB dongle."""
