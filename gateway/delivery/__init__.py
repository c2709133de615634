"""From the outbox to the broker and back: schedule, window, resending, receipts, commands."""
