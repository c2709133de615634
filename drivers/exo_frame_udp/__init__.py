"""The open exoskeleton frame in datagrams."""
