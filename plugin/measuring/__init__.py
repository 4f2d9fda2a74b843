"""Measurements that anyone can print again: `bench` of speed and memory, `quality` of the bundled weights."""
