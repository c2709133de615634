"""From the broker to the history and on to the remote store; receipts back."""
