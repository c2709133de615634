"""Cycling Speed and Cadence (Bluetooth 0x1816): counters of wheel and crank, and the rates between them."""
