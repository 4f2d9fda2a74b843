"""Learning a shot from key frames, from files to a file: what is asked, how it goes, what is on disk meanwhile."""
