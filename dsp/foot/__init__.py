"""Sensors on feet: contacts, and the length and height of each stride."""
