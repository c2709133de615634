"""OpenExo exoskeletons: read by notification alone, never written to."""
