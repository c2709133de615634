"""MicroStrain (HBK) inertial sensors: packets of MIP over a serial port or USB, stamped in nanoseconds."""
