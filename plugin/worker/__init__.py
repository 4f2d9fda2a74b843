"""One process per device and user that runs networks for everybody. `python -m plugin.worker` is the process.

`protocol` is below all others, `client` and `device` stand on it, `server` on `device`; nothing runs the other way.
"""
