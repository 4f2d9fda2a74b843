"""Registration: a plate is laid under a shot, judged, and matched in exposure; `align` is the way in."""
