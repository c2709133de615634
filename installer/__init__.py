"""The Debian package: what makes it and says what is in it; `debian/` is what lies in it beside the program."""
