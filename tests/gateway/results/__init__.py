"""Tests of what came of sessions."""
