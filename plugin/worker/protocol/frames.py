"""Frames and passes as they lie in shared memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nodes.engine import Passes
from nodes.footage.colour.space import ColourSpace
from nodes.footage.colour.spaces import by_name
from nodes.footage.frame import Frame, Pixels
from nodes.footage.window import Window
from plugin.worker.protocol.buffers import Buffer, Outgoing
from plugin.worker.protocol.fields import MOST_WEIGHTS, Box, Colour, Image
from plugin.worker.protocol.fitting import fitted_facts, fitted_name, fitted_notes, fitted_record
from plugin.worker.protocol.messages import FrameAnswer, Result
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.shared_memory import aligned


def pack(outgoing: Outgoing, arrays: Mapping[str, Pixels]) -> tuple[Buffer, tuple[Image, ...]]:
    """Copies `[height, width, channels]` arrays into one buffer."""
    images, end = [], 0
    for name, array in arrays.items():
        height, width, channels = array.shape
        images.append(Image(name, end, height, width, channels))
        end = aligned(end + 4 * array.size)
    buffer = outgoing.take(end)
    try:
        for image, array in zip(images, arrays.values(), strict=True):
            np.copyto(buffer.memory.floats(image.offset, array.shape), array, casting="same_kind")
    except BaseException:
        outgoing.unsent(buffer)
        raise
    return buffer, tuple(images)


def unpack(memory: npt.NDArray[np.uint8], image: Image) -> Pixels:
    """A view of an image. Raises ProtocolError unless it lies within the memory, aligned to its numbers."""
    count = image.height * image.width * image.channels
    end = image.offset + 4 * count
    if image.offset % 4 or end > memory.size:
        raise ProtocolError(f"the image '{image.name}' does not lie within its buffer of {memory.size} bytes")
    return memory[image.offset : end].view(np.float32).reshape(image.height, image.width, image.channels)


def frame_answer(outgoing: Outgoing, job: int, need: int, frame: Frame) -> tuple[FrameAnswer, Buffer]:
    """The message that hands over a frame; its metadata stays here."""
    buffer, (image,) = pack(outgoing, {"": frame.pixels})
    colour = frame.colour
    matrix = tuple(float(value) for row in colour.to_rec709 for value in row)
    answer = FrameAnswer(
        job=job,
        need=need,
        buffer=buffer.ref,
        image=image,
        channels=tuple(map(fitted_name, frame.channels)),
        data_window=_box(frame.data_window),
        display_window=_box(frame.display_window),
        pixel_aspect=frame.pixel_aspect,
        colour=Colour(colour.name, colour.transfer, matrix, colour.ocio_config),
    )
    return answer, buffer


def frame_of(answer: FrameAnswer, memory: npt.NDArray[np.uint8]) -> Frame:
    """The frame of a message; its pixels are read-only.

    Raises ProtocolError when the message contradicts itself, ParameterError for a colour space that nobody knows.
    """
    pixels = unpack(memory, answer.image)
    pixels.flags.writeable = False
    try:
        return Frame(
            pixels=pixels,
            channels=answer.channels,
            data_window=_window(answer.data_window),
            display_window=_window(answer.display_window),
            pixel_aspect=answer.pixel_aspect,
            colour=_colour(answer.colour),
        )
    except ValueError as error:
        raise ProtocolError(f"a frame contradicts itself: {error}") from None


def result(
    outgoing: Outgoing, job: int, passes: Passes, wanted: Sequence[str], milliseconds: float
) -> tuple[Result, Buffer]:
    """The message that hands over the wanted passes (all, when none is named)."""
    images = {name: passes.images[name] for name in wanted} if wanted else passes.images
    buffer, packed = pack(outgoing, images)
    message = Result(
        job=job,
        buffer=buffer.ref,
        images=packed,
        window=_box(passes.window),
        info=fitted_facts(passes.info),
        notes=fitted_notes(passes.notes),
        milliseconds=milliseconds,
        weights=tuple(map(fitted_record, passes.weights[:MOST_WEIGHTS])),
    )
    return message, buffer


def passes_of(message: Result, memory: npt.NDArray[np.uint8]) -> Passes:
    """The passes of a message. Raises ProtocolError when the message contradicts itself."""
    window = _window(message.window)
    images = {}
    for image in message.images:
        if (image.height, image.width) != (window.height, window.width):
            raise ProtocolError(f"the pass '{image.name}' is not of the size {window}")
        images[image.name] = unpack(memory, image)
    return Passes(images, window, dict(message.info), list(message.notes), message.weights)


def _colour(colour: Colour) -> ColourSpace:
    if colour.transfer == "named":
        return by_name(colour.name)
    m = colour.to_rec709
    matrix = ((m[0], m[1], m[2]), (m[3], m[4], m[5]), (m[6], m[7], m[8]))
    return ColourSpace(colour.name, colour.transfer, matrix, colour.ocio_config)


def _box(window: Window) -> Box:
    return Box(int(window.x), int(window.y), int(window.width), int(window.height))


def _window(box: Box) -> Window:
    return Window(box.x, box.y, box.width, box.height)
