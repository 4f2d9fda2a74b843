"""From footage to what a network sees, and back: windows, colour planes, the bounded proxy, the rebuilt foreground.

The networks were trained on sRGB-encoded pictures of 0..1; footage is scene-linear, unbounded and may hold NaN. The
network sees a proxy; its answer goes back to the footage as a difference, so that nothing of the footage is lost.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nodes.errors import FrameError
from nodes.footage.association import multiplied
from nodes.footage.colour import spaces as colour
from nodes.footage.colour.space import LINEAR_REC709, ColourSpace
from nodes.footage.frame import Frame, Pixels
from nodes.footage.mask_channel import as_mask
from nodes.footage.window import Window

# Alpha from which on the foreground turns into the untouched source.
SOLID_FROM = 0.9
# Half floats are 2**-11 apart below 1 and 2**-24 above 0.
ROUNDS_TO_1 = 1 - 2.0**-12
ROUNDS_TO_0 = 2.0**-25
# Stored values smaller than this are 0 to a network, whoever delivers them: hosts that were built for speed read half
# floats without those below it.
SMALLEST = 2.0**-14


def srgb_encode(linear: Tensor) -> Tensor:
    """The sRGB curve (IEC 61966-2-1) of values in 0..1.

    >>> srgb_encode(torch.tensor([0.0, 0.18, 1.0])).mul(255).round().tolist()
    [0.0, 118.0, 255.0]
    """
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


def srgb_decode(encoded: Tensor) -> Tensor:
    """Inverse of `srgb_encode` for values in 0..1."""
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


@dataclass(frozen=True)
class Proxy:
    """A frame as a network sees it.

    `stored` `[1,3,H,W]` float32 holds the pixels as they came, `light` the same in scene-linear Rec.709 with NaN and
    Inf replaced and what is below `SMALLEST` as 0, `shown` is sRGB-encoded in 0..1 after `exposure` stops. `broken`
    counts the NaN and Inf pixels.
    """

    stored: Tensor
    light: Tensor
    shown: Tensor
    gain: float
    colour: ColourSpace
    broken: int


def make_proxy(frame: Frame, exposure: float, device: torch.device) -> Proxy:
    """The proxy of a frame's colour; RGB, or Y three times.  Raises FrameError where there is neither."""
    stored, light, broken = _seen_light(frame, device)
    gain = 2.0**exposure
    return Proxy(stored, light, srgb_encode((light * gain).clamp(0, 1)), gain, frame.colour, broken)


def light_pixels(frame: Frame) -> Pixels:
    """The light `[H,W,3]` of a frame as a proxy has it, for those who see a smaller picture of it."""
    return to_pixels(_seen_light(frame, torch.device("cpu"))[1])


def _seen_light(frame: Frame, device: torch.device) -> tuple[Tensor, Tensor, int]:
    stored = _to_tensor(colour_pixels(frame), device)
    return stored, *_sanitised(_linear(_without_smallest(stored), frame.colour))


def _without_smallest(stored: Tensor) -> Tensor:
    # The float before the threshold, so that what lies at it stays; NaN and Inf do.
    return torch.nn.functional.hardshrink(stored, SMALLEST - 2.0**-38)


def without_smallest(pixels: Pixels) -> Pixels:
    """Pixels without those that are 0 to a network, see `SMALLEST`; the array itself where there are none.

    >>> without_smallest(np.array([1e-5, -1e-5, 0.5], np.float32)).tolist()
    [0.0, 0.0, 0.5]
    """
    small = (np.abs(pixels) < SMALLEST) & (pixels != 0)
    return np.where(small, np.float32(0), pixels) if small.any() else pixels


def rebuild_foreground(proxy: Proxy, answer: Tensor, alpha: Tensor, plate: Proxy | None = None) -> Tensor:
    """The straight foreground `[1,3,H,W]` in the source's own colour space.

    `answer` is the network's display-encoded foreground in 0..1. Its difference from the proxy is added to the source
    in light, so values above 1 and below 0 survive; where alpha is 1 the result *is* the source, bit for bit. Light
    above the proxy's range is shared out by the compositing equation where the plate is known.
    """
    difference = (srgb_decode(answer) - srgb_decode(proxy.shown)) / proxy.gain
    difference = difference * ((1 - alpha) / (1 - SOLID_FROM)).clamp(0, 1)
    light = proxy.light + difference
    if plate is not None:
        above = _above_range(proxy)
        behind = (1 - alpha) * _above_range(plate)
        # Only where the bright background shines through; elsewhere the source's highlights stay as they are.
        own = torch.where(behind > 0, ((above - behind) / alpha.clamp_min(1e-3)).clamp_min(0).minimum(above), above)
        light = light - above + own
    return torch.where(alpha >= 1, proxy.stored, _from_linear(light, proxy.colour))


def rebuild_changed(proxy: Proxy, answer: Tensor, weight: Tensor) -> Tensor:
    """The picture `[1,3,H,W]` in the source's own colour space, with a network's `answer` where `weight` is 1.

    `answer` is display-encoded in 0..1. Where `weight` `[1,1,H,W]` is 0 the result *is* the source, bit for bit. Light
    above the proxy's range stays where the answer is as bright as the proxy, and goes to the last where it is half as
    bright.
    """
    seen, wanted = srgb_decode(proxy.shown), srgb_decode(answer)
    beyond = proxy.light - seen / proxy.gain
    light = wanted / proxy.gain + beyond * (2 * wanted / seen.clamp_min(1e-6) - 1).clamp(0, 1)
    mixed = proxy.light + (light - proxy.light) * weight
    return torch.where(weight > 0, _from_linear(mixed, proxy.colour), proxy.stored)


def premultiply(foreground: Tensor, alpha: Tensor, space: ColourSpace = LINEAR_REC709) -> Tensor:
    """`[1,4,H,W]`: the foreground's light times alpha, in the foreground's `space`, and alpha.

    No light at all where alpha is 0, whatever the foreground holds there; see `association.multiplied`.

    >>> grey, alpha = torch.full((1, 3, 1, 2), 0.5), torch.tensor([[[[1.0, 0.25]]]])
    >>> premultiply(grey, alpha)[0, :, 0].tolist()
    [[0.5, 0.125], [0.5, 0.125], [0.5, 0.125], [1.0, 0.25]]
    """
    if space.transfer == "linear":
        colours = torch.where(alpha > 0, foreground * alpha, torch.zeros_like(foreground))
    else:
        colours = _to_tensor(multiplied(to_pixels(foreground), to_pixels(alpha), space), foreground.device)
    return torch.cat([colours, alpha], dim=1)


def settle(alpha: Tensor) -> Tensor:
    """Alpha at its ends as files of half floats hold it: what they round to 1 is 1, what they round to 0 is 0.

    Done before the foreground is made, so that this is the source wherever the file says 1.
    """
    alpha = torch.where(alpha >= ROUNDS_TO_1, torch.ones_like(alpha), alpha)
    return torch.where(alpha <= ROUNDS_TO_0, torch.zeros_like(alpha), alpha)


def settled(alpha: Pixels) -> Pixels:
    """`settle` for arrays.

    >>> settled(np.array([0.5, 0.99999, 1e-9], np.float32)).tolist()
    [0.5, 1.0, 0.0]
    """
    return np.where(alpha >= ROUNDS_TO_1, np.float32(1), np.where(alpha <= ROUNDS_TO_0, np.float32(0), alpha))


def to_pixels(image: Tensor) -> Pixels:
    """`[1,C,H,W]` on any device to a C-ordered float32 array `[H,W,C]`."""
    pixels: Pixels = image[0].float().permute(1, 2, 0).contiguous().cpu().numpy()
    return pixels


def colour_pixels(frame: Frame) -> Pixels:
    """The three colour channels of a frame, `[H,W,3]`."""
    channels = list(frame.channels)
    if {"R", "G", "B"} <= set(channels):
        order = [channels.index(name) for name in "RGB"]
    elif "Y" in channels or len(channels) == 1:
        order = [channels.index("Y") if "Y" in channels else 0] * 3
    elif len(channels) >= 3:
        order = [0, 1, 2]
    else:
        raise FrameError(f"the source has the channels {', '.join(channels)}: choose a layer with colour")
    if order == list(range(len(channels))):
        return frame.pixels
    return np.ascontiguousarray(frame.pixels[..., order])


def mask_pixels(frame: Frame, window: Window) -> Pixels:
    """A mask `[H,W,1]` in 0..1 over `window`, of the channel that `as_mask` takes; 0 outside its data and for NaN."""
    pixels = without_smallest(as_mask(frame)[0].pixels)
    mask = np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
    return place(mask, frame.data_window, window, edge=False)


def place(pixels: Pixels, have: Window, want: Window, edge: bool) -> Pixels:
    """`pixels` `[H,W,C]` of the window `have`, cut or continued to `want`: by border pixels if `edge`, else by 0.

    >>> row = np.array([[[1], [2], [3]]], np.float32)
    >>> place(row, Window(0, 0, 3, 1), Window(1, 0, 4, 1), edge=True)[0, :, 0].tolist()
    [2.0, 3.0, 3.0, 3.0]
    >>> place(row, Window(0, 0, 3, 1), Window(-1, 0, 3, 1), edge=False)[0, :, 0].tolist()
    [0.0, 1.0, 2.0]
    """
    if have == want:
        return pixels
    if have.empty:
        return np.zeros((want.height, want.width, pixels.shape[2]), np.float32)
    if edge:
        rows = np.clip(np.arange(want.y, want.bottom) - have.y, 0, have.height - 1)
        columns = np.clip(np.arange(want.x, want.right) - have.x, 0, have.width - 1)
        return np.ascontiguousarray(pixels[rows][:, columns])
    placed = np.zeros((want.height, want.width, pixels.shape[2]), np.float32)
    shared = have.intersect(want)
    if not shared.empty:
        placed[shared.slices_in(want)] = pixels[shared.slices_in(have)]
    return placed


def same_size(frame: Frame, other: Frame) -> bool:
    """Whether the formats of two frames are of one size, wherever they begin."""
    have, want = frame.display_window, other.display_window
    return (have.width, have.height) == (want.width, want.height)


def laid_on(name: str, frame: Frame, source: Frame) -> Frame:
    """An input's frame where the source's format has it: display windows of one size that begin elsewhere are laid on
    each other. Raises FrameError where their sizes differ."""
    have, want = frame.display_window, source.display_window
    if not same_size(frame, source):
        raise FrameError(
            f"the {name} is {have.width}x{have.height} and the source {want.width}x{want.height}: "
            f"reformat the {name} to the source's size"
        )
    if have == want:
        return frame
    data = frame.data_window
    moved = Window(data.x + want.x - have.x, data.y + want.y - have.y, data.width, data.height)
    return dataclasses.replace(frame, data_window=moved, display_window=want)


def placed_on(source: Frame, frame: Frame) -> Frame:
    """A frame's pixels over the source's data window, black where the frame has none."""
    if frame.data_window == source.data_window:
        return frame
    pixels = place(frame.pixels, frame.data_window, source.data_window, edge=False)
    return dataclasses.replace(frame, pixels=pixels, data_window=source.data_window)


def _to_tensor(pixels: Pixels, device: torch.device) -> Tensor:
    # A copy: shared memory is handed back, and torch wants to be able to write.
    return torch.tensor(pixels, dtype=torch.float32, device=device).permute(2, 0, 1)[None]


def _sanitised(light: Tensor) -> tuple[Tensor, int]:
    broken = ~torch.isfinite(light)
    count = int(broken.any(dim=1).sum())
    if not count:
        return light, 0
    return torch.nan_to_num(light, nan=0.0, posinf=65504.0, neginf=0.0), count


def _above_range(proxy: Proxy) -> Tensor:
    return (proxy.light - 1 / proxy.gain).clamp_min(0)


def _linear(stored: Tensor, space: ColourSpace) -> Tensor:
    if space.transfer == "linear":
        return _mix(stored, np.array(space.to_rec709))
    return _through_numpy(stored, space, colour.to_linear_rec709)


def _from_linear(light: Tensor, space: ColourSpace) -> Tensor:
    if space.transfer == "linear":
        return _mix(light, np.linalg.inv(np.array(space.to_rec709)))
    return _through_numpy(light, space, colour.from_linear_rec709)


def _mix(image: Tensor, matrix: np.ndarray) -> Tensor:
    if np.array_equal(matrix, np.eye(3)):
        return image
    weights = torch.tensor(matrix, dtype=torch.float32, device=image.device)
    return torch.einsum("ij,bjhw->bihw", weights, image)


def _through_numpy(image: Tensor, space: ColourSpace, convert) -> Tensor:  # type: ignore[no-untyped-def]
    return _to_tensor(convert(to_pixels(image), space), image.device)
