"""How somebody sways who stands still: from a force plate's centre of pressure, or another position or acceleration."""
