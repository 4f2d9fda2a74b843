"""Background carried into holes along the motion of what is there, from the frames before and after that show it."""
