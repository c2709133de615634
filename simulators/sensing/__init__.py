"""Imperfect sensors and clocks: noise, bias, drift, loss."""
