"""Walks over a course and the turns between them, from one sensor; timed walk tests. Knows nothing of feet or wards."""
