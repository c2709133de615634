"""Two oriented segments to a joint: angles, stride by stride, and over the gait cycle."""
