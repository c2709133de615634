"""What was done to a gateway: written as a chain, verified from the history."""
