"""A sensor on the lower back: bouts, steps, turns, speed."""
