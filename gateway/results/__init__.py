"""What came of sessions: each result beside earlier ones, reports of sessions, and trends over years.

It reads the history and changes nothing. A change is judged by a band that somebody chose, or not at all.
"""
