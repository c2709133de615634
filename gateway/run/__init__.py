"""The bedside process: built from the rooms below, stepped, stopped."""
