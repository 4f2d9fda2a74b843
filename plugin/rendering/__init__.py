"""Rendering a shot from files to files, whoever asks: the command line, Python, the demo, measurements.

`plan.plan` makes a `Shot` of a `Request`, `render.ShotRender` renders it through a worker, `events` says how it goes.
"""
