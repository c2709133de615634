"""Where motion comes from, sample by sample: sources, recordings, simulated time."""
