"""Xsens (Movella) MTi motion trackers: messages of Xbus over a serial port or USB, in all number formats."""
