"""Pictures of every screen for ``docs/images``: in come running wards, out come PNG files."""
