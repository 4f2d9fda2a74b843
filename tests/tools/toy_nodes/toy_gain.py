"""Engine of the test node Gain: cheap, exact, and different for every frame."""

import numpy as np

from nodes.engine import Passes


class Gain:
    def needs(self, frame, params, inputs):
        masks = [("Mask", frame)] if inputs.connected("Mask") else []
        return [("Source", frame), *masks]

    def render(self, frame, params, inputs, device):
        source = inputs.frame("Source", frame)
        picture = source.pixels * np.float32(params["gain"])
        for before in range(max(frame - params["earlier"], inputs.range("Source")[0]), frame):
            picture = picture + inputs.frame("Source", before).pixels
            inputs.forget("Source", before)
        if inputs.connected("Mask"):
            picture = picture + inputs.frame("Mask", frame).pixels
        images = {"picture": picture}
        for number in range(params["passes"]):
            images[f"more{number}"] = picture
        return Passes(images, source.data_window, {"gain": params["gain"]}, ["a note of the engine"])


def engine():
    return Gain()
