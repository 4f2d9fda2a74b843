"""The side of a host or a shell: finds or starts the worker, submits renders, hands over frames. Free of torch."""
