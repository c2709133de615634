"""How a sensor is strapped on: found, not believed."""
