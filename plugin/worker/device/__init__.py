"""What the worker computes on: the device, its networks, memory and threads. The only room with torch in it."""
