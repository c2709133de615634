"""This computer: what it has and how it does, supervised tasks, the watchdog. Knows nothing of patients."""
