"""Puts the software into a machine and into compositors, and examines both."""
