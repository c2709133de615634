"""What an exoskeleton measured, second by second."""
