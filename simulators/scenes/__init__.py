"""Wards and recordings as a whole: who walks where, wearing what."""
