"""Freezing of gait: how much of a leg's movement is trembling, and how much is walking."""
