"""A body with known truth: how it walks, turns, and how its heart beats."""
