"""The process: takes clients, queues their jobs, fetches frames, answers."""
