"""Refinement of the coarse matte where the predicted error is large (arXiv:2012.07810, section 4.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MODES = ("sampling", "thresholding", "full")
_CELLS_AT_ONCE = 16384  # patches per inference batch: bounds memory when thresholding selects a whole UHD picture


class Refined(NamedTuple):
    """pha [B,1,H,W] and the residual fgr [B,3,H,W], both unclamped; ref [B,1,H/4,W/4], 1 where refined, else 0."""

    pha: Tensor
    fgr: Tensor
    ref: Tensor


class Refiner(nn.Module):
    """Two convolutions at half and two at full resolution, on selected 4x4 cells or on the whole picture.

    kernel_size 3 looks 6 pixels past a cell, 1 does not; the convolutions are unpadded, zeros continue the picture.
    """

    def __init__(self, kernel_size: int = 3) -> None:
        super().__init__()
        if kernel_size not in (1, 3):
            raise ValueError(f"refine_kernel_size is 1 or 3, not {kernel_size!r}.")
        self.kernel_size = kernel_size
        self.conv1 = nn.Conv2d(32 + 4 + 6, 24, kernel_size, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        self.conv2 = nn.Conv2d(24, 16, kernel_size, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.conv3 = nn.Conv2d(16 + 6, 12, kernel_size, bias=False)
        self.bn3 = nn.BatchNorm2d(12)
        self.conv4 = nn.Conv2d(12, 4, kernel_size)
        self.relu = nn.ReLU()

    def forward(
        self,
        src: Tensor,
        bgr: Tensor,
        pha: Tensor,
        fgr: Tensor,
        err: Tensor,
        hid: Tensor,
        mode: str = "sampling",
        sample_pixels: int = 80_000,
        threshold: float = 0.1,
        strip_rows: int | None = None,
    ) -> Refined:
        """Refine a coarse matte.

        src, bgr: [B,3,H,W], H and W divisible by 4.  The coarse matte, at any size [B,C,h,w]: pha (1 channel, 0..1),
        fgr (3, the unclamped residual), err (1, 0..1), hid (32, >= 0).  `strip_rows` bounds the memory of mode "full":
        that many rows, a multiple of 4, are computed at a time (None: all at once), with the same values up to float
        rounding.
        """
        height, width = src.shape[-2:]
        half = _resize(torch.cat([hid, pha, fgr], dim=1), (height // 2, width // 2))
        both = torch.cat([src, bgr], dim=1)
        half = torch.cat([half, _resize(both, (height // 2, width // 2))], dim=1)
        if mode == "full":
            out = self._everywhere(half, both, strip_rows)
            return Refined(out[:, :1], out[:, 1:], torch.ones_like(both[:, :1, ::4, ::4]))
        ref = self.select(_resize(err, (height // 4, width // 4)), mode, sample_pixels, threshold)
        out = _resize(torch.cat([pha, fgr], dim=1), (height, width))
        out = self._selected(half, both, out, ref)
        return Refined(out[:, :1], out[:, 1:], ref.to(src.dtype))

    @staticmethod
    def select(err: Tensor, mode: str, sample_pixels: int, threshold: float) -> Tensor:
        """Cells to refine: a boolean map like err [B,1,H/4,W/4] (0..1, one value per 4x4 cell).

        thresholding: err > threshold.  sampling: of each picture the sample_pixels // 16 cells (at most all) with the
        largest error, if it is above 0.
        """
        if mode == "thresholding":
            return err > threshold
        flat = err.flatten(1)
        best = flat.topk(min(int(sample_pixels) // 16, flat.shape[1]), dim=1, sorted=False).indices
        chosen = torch.zeros_like(flat, dtype=torch.bool).scatter(1, best, True)
        return (chosen & (flat > 0)).view_as(err)

    def _at_half(self, x: Tensor) -> Tensor:
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))

    def _at_full(self, x: Tensor, both: Tensor) -> Tensor:
        x = F.interpolate(x, both.shape[-2:], mode="nearest")
        return self.conv4(self.relu(self.bn3(self.conv3(torch.cat([x, both], dim=1)))))

    def _everywhere(self, half: Tensor, both: Tensor, strip_rows: int | None) -> Tensor:
        height = both.shape[2]
        step = height if strip_rows is None else strip_rows
        if step < 4 or step % 4:
            raise ValueError(f"strip_rows is a positive multiple of 4, not {strip_rows!r}.")
        halo_half, halo = (3, 2) if self.kernel_size == 3 else (0, 0)
        strips = []
        for top in range(0, height, step):
            bottom = min(top + step, height)
            x = self._at_half(_rows(half, top // 2, bottom // 2, halo_half))
            strips.append(self._at_full(x, _rows(both, top, bottom, halo)))
        return strips[0] if len(strips) == 1 else torch.cat(strips, dim=2)

    def _selected(self, half: Tensor, both: Tensor, out: Tensor, ref: Tensor) -> Tensor:
        batch, row, column = ref[:, 0].nonzero(as_tuple=True)
        if not len(batch):
            return out
        halo_half, halo = (3, 2) if self.kernel_size == 3 else (0, 0)
        half_rows, full_rows = _Pixels(half, halo_half), _Pixels(both, halo)
        # In training all patches go through the batch norms at once.
        step = len(batch) if self.training else _CELLS_AT_ONCE
        patches = [
            self._at_full(
                self._at_half(half_rows.patches(b, 2 * y, 2 * x, 2 + 2 * halo_half)),
                full_rows.patches(b, 4 * y, 4 * x, 4 + 2 * halo),
            )
            for b, y, x in zip(batch.split(step), row.split(step), column.split(step), strict=True)
        ]
        count, channels, height, width = out.shape
        cells = out.view(count, channels, height // 4, 4, width // 4, 4).permute(0, 2, 4, 1, 3, 5)
        cells = cells.index_put((batch, row, column), torch.cat(patches).to(out.dtype))
        return cells.permute(0, 3, 1, 4, 2, 5).reshape(out.shape)


class _Pixels:
    """A picture [B,C,H,W], continued by `halo` zeros, laid out pixel by pixel, from which square patches are taken."""

    def __init__(self, image: Tensor, halo: int) -> None:
        padded = F.pad(image.permute(0, 2, 3, 1), (0, 0, halo, halo, halo, halo)).contiguous()
        self.height, self.width = padded.shape[1:3]
        self.rows = padded.flatten(0, 2)

    def patches(self, batch: Tensor, top: Tensor, left: Tensor, size: int) -> Tensor:
        """[N,C,size,size]; top and left count in the continued picture."""
        inside = torch.arange(size, device=top.device)
        y = (batch * self.height + top)[:, None, None] + inside[:, None]
        index = y * self.width + left[:, None, None] + inside
        return self.rows[index].permute(0, 3, 1, 2)


def _rows(image: Tensor, top: int, bottom: int, halo: int) -> Tensor:
    """Rows top to bottom of a picture continued by zeros, and `halo` pixels more on every side."""
    above, below = max(halo - top, 0), max(bottom + halo - image.shape[2], 0)
    return F.pad(image[:, :, max(top - halo, 0) : bottom + halo], (halo, halo, above, below))


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)
