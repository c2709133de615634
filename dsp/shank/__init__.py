"""Sensors on shanks: contacts.

``contacts.py`` is the operator, ``kernel.py`` runs it sample by sample through the cycle of a shank (``cycle.py``).
"""
