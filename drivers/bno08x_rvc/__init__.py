"""BNO08x orientation sensors in the mode that sends by itself: nothing is ever written to them."""
