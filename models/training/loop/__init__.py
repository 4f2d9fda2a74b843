"""How networks are trained, whichever it is: steps, processes, checkpoints, the log and its pictures."""
