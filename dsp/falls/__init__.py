"""Falls and near-falls from one sensor: a notice for somebody to look, never an alarm to rely on."""
