"""What can be trained: one file for each network's stages and losses; `catalogue` lists them."""
