"""Colour spaces: their names, what files say about them, the way to scene-linear Rec.709 and back."""
