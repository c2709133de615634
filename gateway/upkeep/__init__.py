"""What keeps a history of years fit: minute values, retention, erasure, by requests and in the background."""
