"""The SQLite history: schema, writer, reader, wall times. Knows nothing of how a measurement came.

Whoever stores has a `History`; its upkeep gets the ``database`` of it, the copying its ``copies``; whoever reads has a
`HistoryReader`. What is kept in memory of the file is `Books`.
"""
