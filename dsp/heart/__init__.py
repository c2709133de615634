"""Heart rate and its variability."""
