"""The commands of rehab-gateway, a file each."""
