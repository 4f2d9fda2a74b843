"""Faces: what a compositor sees of a node, read from YAML and checked key by key, and the engine that belongs to it."""
