"""What networks are shown: pictures and clips drawn by rule from a pool, or a user's own folders, as examples."""
