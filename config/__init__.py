"""What a site edits: typed settings, their loader, annotated examples and deployment files."""
