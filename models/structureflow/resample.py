"""Sampling along a flow with a Gaussian window, as StructureFlow does instead of bilinearly, so that gradients reach
further than one pixel (Ren, Yu, Zhang, Li, Liu, Li, ICCV 2019, arXiv:1908.03852, section 3.2)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# Gathered values held at once, 4 bytes each: fits the cache of a CPU, keeps a GPU busy.
CHUNK_VALUES = {"cpu": 1 << 19, "cuda": 1 << 26}


def resample2d(image: Tensor, flow: Tensor, kernel_size: int, sigma: float, dilation: int = 1) -> Tensor:
    """Look up `image` at every pixel's own place plus its flow.

    image: [B,C,h,w]; flow: [B,2,H,W], in pixels of the image, channel 0 to the right and channel 1 down.  Gives
    [B,C,H,W].  Each value is the mean of the kernel_size x kernel_size pixels around the place (an odd size counts as
    one less), `dilation` apart, weighted by a Gaussian of deviation `sigma` around it; beyond the border the border
    pixel is repeated.  The window moves on by a pixel where a place passes one, so there the result has a small step;
    the gradient is that of the formula with the window held still, for the image and for the flow.

    Besides image and result, memory is needed for 2 * kernel_size weights per pixel of the result and one chunk of
    gathered windows.  Raises ValueError for a kernel size below 2.

    Example:
        >>> resample2d(torch.eye(4)[None, None], torch.ones(1, 2, 4, 4), kernel_size=4, sigma=2.0).shape
        torch.Size([1, 1, 4, 4])
    """
    if kernel_size < 2:
        raise ValueError(f"A resampling window needs at least 2x2 pixels; it got kernel_size {kernel_size}.")
    batch, channels, height, width = image.shape
    if flow.dim() != 4 or flow.shape[:2] != (batch, 2):
        raise ValueError(f"The flow of {list(image.shape)} must be [{batch},2,H,W]; it is {list(flow.shape)}.")
    full = torch.promote_types(image.dtype, torch.float32)
    border = dilation * (2 * (kernel_size // 2) - 1)
    pixels = F.pad(image.to(full), (border,) * 4, mode="replicate").movedim(1, -1)
    rows, columns = flow.shape[-2:]
    x = torch.arange(columns, dtype=full, device=flow.device) + flow[:, 0].to(full)
    y = torch.arange(rows, dtype=full, device=flow.device)[:, None] + flow[:, 1].to(full)
    left, across = window(x, width, kernel_size, sigma, dilation)
    top, down = window(y, height, kernel_size, sigma, dilation)
    first = torch.arange(batch, device=flow.device)[:, None, None] * pixels.shape[1]
    starts = ((first + top) * pixels.shape[2] + left).flatten()
    with torch.autocast(image.device.type, enabled=False):
        values = _WindowSum.apply(
            pixels.flatten(0, 2), starts, down.flatten(0, 2), across.flatten(0, 2), pixels.shape[2], dilation
        )
    return values.view(batch, rows, columns, channels).movedim(-1, 1).to(image.dtype)


def window(place: Tensor, size: int, kernel_size: int, sigma: float, dilation: int) -> tuple[Tensor, Tensor]:
    """One axis of the windows around `place` (any shape), in pixels of a picture of `size` pixels.

    Gives the first pixel of each window, counted from the first pixel of the picture with its border, and the weights
    [..., 2 * (kernel_size // 2)], whose sum is 1 (0 if all of them vanish).
    """
    whole = place.floor()
    half = kernel_size // 2
    offsets = dilation * torch.arange(1 - half, half + 1, dtype=place.dtype, device=place.device)
    distances = offsets - (place - whole)[..., None]
    weights = torch.exp(-distances.square() / (2 * sigma**2 or 1e-8))
    total = weights.sum(-1, keepdim=True)
    border = dilation * (2 * half - 1)
    start = (whole + dilation * (1 - half)).nan_to_num().clamp(-border, size - 1).long() + border
    return start, weights / torch.where(total == 0, 1e-8, total)


class _WindowSum(torch.autograd.Function):
    """Weighted sums of square windows of a table of pixels.

    table: [P,C], the rows of all pictures one after the other; starts: [N], first pixel of each window; down and
    across: [N,K], weights of the window's rows and columns; stride: pixels per picture row; dilation: pixels between
    columns, and rows between rows.  Gives [N,C].
    """

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, starts: Tensor, down: Tensor, across: Tensor, stride: int, dilation: int
    ) -> Tensor:
        ctx.save_for_backward(table, starts, down, across)
        ctx.stride, ctx.dilation = stride, dilation
        table = table.contiguous()
        result = table.new_empty(len(starts), table.shape[1])
        for part in _chunks(table, down):
            windows = _windows(table, starts[part], stride, dilation, down.shape[1])
            lines = torch.bmm(down[part, None], windows.flatten(2)).view(-1, *windows.shape[2:])
            result[part] = torch.bmm(across[part, None], lines)[:, 0]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        table, starts, down, across = ctx.saved_tensors
        table, gradient = table.contiguous(), gradient.contiguous()
        taps = down.shape[1]
        for_table, _, for_weights = ctx.needs_input_grad[:3]
        to_table = torch.zeros_like(table) if for_table else None
        to_down, to_across = (torch.empty_like(down), torch.empty_like(across)) if for_weights else (None, None)
        for part in _chunks(table, down):
            spread = across[part, :, None] * gradient[part, None]
            if to_down is not None and to_across is not None:
                windows = _windows(table, starts[part], ctx.stride, ctx.dilation, taps).flatten(2)
                to_down[part] = torch.bmm(windows, spread.flatten(1)[..., None])[..., 0]
                lines = torch.bmm(down[part, None], windows).view_as(spread)
                to_across[part] = torch.bmm(lines, gradient[part, :, None])[..., 0]
            if to_table is not None:
                places = _places(starts[part], ctx.stride, ctx.dilation, taps)
                for tap in range(taps):
                    values = down[part, :, None] * spread[:, tap, None]
                    to_table.index_add_(0, (places + tap * ctx.dilation).flatten(), values.flatten(0, 1))
        return to_table, None, to_down, to_across, None, None


def _chunks(table: Tensor, down: Tensor) -> list[slice]:
    limit = CHUNK_VALUES.get(table.device.type, CHUNK_VALUES["cuda"])
    count = max(1, limit // (down.shape[1] ** 2 * max(1, table.shape[1])))
    return [slice(start, start + count) for start in range(0, len(down), count)]


def _places(starts: Tensor, stride: int, dilation: int, taps: int) -> Tensor:
    """First pixel of every row of every window: [N,K]."""
    return starts[:, None] + stride * dilation * torch.arange(taps, device=starts.device)


def _windows(table: Tensor, starts: Tensor, stride: int, dilation: int, taps: int) -> Tensor:
    """[N,K,K,C], gathered by whole rows of windows, which lie overlapping in the table."""
    channels = table.shape[1]
    rows = table.as_strided(
        (len(table) - dilation * (taps - 1), taps, channels), (channels, dilation * channels, 1), table.storage_offset()
    )
    places = _places(starts, stride, dilation, taps)
    return rows.index_select(0, places.flatten()).view(len(starts), taps, taps, channels)
