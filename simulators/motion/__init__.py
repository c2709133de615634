"""Where motion comes from: a body, or a recording."""
