"""The command line. One file a command; each parses its options and calls its Python twin."""

from nablab.cli.entry import app, main

__all__ = ["app", "main"]
