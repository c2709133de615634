"""From a box of sensors to a patient who wears them: what is in range, which is which, on which leg or arm."""
