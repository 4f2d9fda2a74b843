"""What clients and the worker say to each other: messages, shared memory, limits, where the worker is found."""
