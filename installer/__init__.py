"""The Debian package: `build.py` makes it; `debian/` is what lies in it beside the program."""
