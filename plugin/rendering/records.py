"""Which frames of a shot are finished: what passes say about their making is held against what they would be made from.

A pass holds the key of its shot (`Shot.key`) and, for every input, the fingerprint of the files it was made from.
"""

from __future__ import annotations

import json
from dataclasses import astuple

from nodes.footage.exr.making import Making, read_making
from nodes.footage.fingerprint import Fingerprint, Fingerprints
from plugin.rendering.shot import Shot


class Records:
    """Knows the files behind each frame of a shot as they were when the frame was first asked for."""

    def __init__(self, shot: Shot) -> None:
        self._shot = shot
        rendered = frozenset(shot.frames)
        self._prints = {name: Fingerprints(footage, rendered) for name, footage in shot.footage.items()}

    def is_finished(self, frame: int) -> bool:
        """Whether all files of a frame are there, whole, and what rendering it now would give.

        To be asked before a frame is rendered: what it is made from is then not older than its fingerprints will say.
        Raises ParameterError where there is a file that may not be replaced.
        """
        for name, prints in self._prints.items():
            prints.look(*self._span(name, frame))
        key = self._shot.key(frame)
        makings = {path: read_making(path) for path in self._shot.paths(frame)}
        known = {making.inputs for making in makings.values() if making is not None and _fits(making, key)}
        finished = all(making is not None and _fits(making, key) for making in makings.values())
        finished = finished and all(self._agrees(frame, text) for text in known)
        for path, making in makings.items():
            self._shot.guard.refuse_lost(path, making, finished)
        return finished

    def inputs(self, frame: int) -> str:
        """The fingerprints of the files a frame is made from, for its passes."""
        found = {name: prints.read(*self._span(name, frame)) for name, prints in self._prints.items()}
        return json.dumps({name: astuple(one) for name, one in sorted(found.items())})

    def _agrees(self, frame: int, text: str) -> bool:
        try:
            known = {name: Fingerprint(*map(str, one)) for name, one in json.loads(text).items()}
            return known.keys() == self._prints.keys() and all(
                prints.agrees(*self._span(name, frame), known[name]) for name, prints in self._prints.items()
            )
        except (ValueError, TypeError, AttributeError):
            return False

    def _span(self, name: str, frame: int) -> tuple[int, int]:
        shot = self._shot
        return shot.face.frames_behind(frame, shot.footage[name].range(), shot.params)


def _fits(making: Making, key: str) -> bool:
    return making.whole and making.key == key
