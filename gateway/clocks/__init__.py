"""Device ticks to gateway time, and gateway time to wall time. Knows nothing of what is sampled."""
