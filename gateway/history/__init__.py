"""The SQLite history: schema, writer, reader, wall times. Knows nothing of how a measurement came."""
