"""Tests of what people read, in every language."""
