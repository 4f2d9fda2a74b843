"""What a matte goes through after the network: levels, islands, holes, masks, soft edges."""
