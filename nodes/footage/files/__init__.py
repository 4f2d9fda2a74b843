"""Which files a shot has: patterns, numbers, frame lists, and what tells that a file has changed."""
