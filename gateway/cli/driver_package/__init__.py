"""Lays out a package of its own for a driver: `layout`; the files are made from those ending in ``.in`` here."""
