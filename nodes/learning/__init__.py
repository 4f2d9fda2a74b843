"""What is taught by key frames: reading them and the shot as a network sees them, and what a file taught."""
