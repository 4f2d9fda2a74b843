"""How good weights are, on procedural scenes that no training has seen; `metrics` has the measures."""
