"""The running processes, a folder for each station: docs/architecture.md has the table of the rooms."""
