"""What Inpaint is made of: the hole, the region around it, the fill, the grain, and the background of other frames."""
