"""The commands of rehab-gateway: declared in main, looking_back, ward and session, done in a file each."""
