"""``python -m gateway``: the command line, where the script of the same purpose is not on the path."""

from gateway.cli.main import main

main()
