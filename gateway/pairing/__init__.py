"""From a box of sensors to a patient who wears them: what is in range, which is which, and on which leg it is."""
