"""Sensors on feet: contacts, and the length and height of each stride.

``contacts.py`` is the operator, ``kernel.py`` runs it sample by sample through the cycle of a foot: on the ground up to
its propulsion (push-off, ``lift.py``), then in the air, down again and standing still (``landing.py``). Another way to
detect that a foot stands still is another ``find_flat`` there.
"""
