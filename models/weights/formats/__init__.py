"""Weights files of every format as arrays; nothing that a file contains is ever run."""
