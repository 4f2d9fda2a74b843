"""Fast Fourier convolution (Chi, Jiang, Mu, "Fast Fourier Convolution", NeurIPS 2020) as LaMa uses it.

Channels are split in a local part, which is convolved as usual, and a global part, which sees the whole picture through
its spectrum (Suvorov et al., WACV 2022, arXiv:2109.07161, section 2.1).  Everything works at any height and width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Split(NamedTuple):
    """The two parts of a feature map, [B,Cl,H,W] and [B,Cg,H,W]; a part without channels is None."""

    local: Tensor | None
    spectral: Tensor | None


class FourierUnit(nn.Module):
    """1x1 convolution, batch norm and ReLU on the spectrum of [B,in_channels,H,W]; gives [B,out_channels,H,W].

    Weights and arithmetic stay in float32 (or float64) when the network around it is turned to half precision or runs
    under autocast: the spectrum of a flat picture spans more than half precision can hold.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * in_channels, 2 * out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * out_channels)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self._filter(x.to(torch.promote_types(x.dtype, torch.float32))).to(x.dtype)

    def _filter(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        spectrum = torch.view_as_real(torch.fft.rfft2(x, norm="ortho"))
        channels = spectrum.movedim(-1, 2).flatten(1, 2)  # real and imaginary parts alternate
        channels = F.relu(self.bn(self.conv_layer(channels)))
        spectrum = torch.complex(*channels.unflatten(1, (-1, 2)).unbind(2))
        columns = torch.view_as_real(torch.fft.ifft(spectrum, dim=-2, norm="ortho"))
        # The filtered spectrum is not that of a real picture.  What the inverse along W has to ignore is taken out
        # here, because cuFFT does not promise to ignore it.
        real_only = [0, width // 2] if width % 2 == 0 else [0]
        keep = torch.ones(columns.shape[-2], 2, dtype=columns.dtype, device=columns.device)
        keep[real_only, 1] = 0
        columns = torch.view_as_complex(columns * keep)
        return torch.fft.irfft(columns, n=width, dim=-1, norm="ortho").reshape(x.shape[0], -1, height, width)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def keep_precision(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            narrowed = moved.is_floating_point() and torch.finfo(moved.dtype).bits < 32
            return tensor.to(moved.device, torch.float32) if narrowed else moved

        return super()._apply(keep_precision, recurse)


class SpectralTransform(nn.Module):
    """The global-to-global path: 1x1 down to half the channels, Fourier unit(s) with a shortcut, 1x1 up.

    With `lfu` a second Fourier unit looks at the four quadrants of the first quarter of the channels.  Stride 2 halves
    [B,in_channels,H,W] first, rounding up.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, lfu: bool = False) -> None:
        super().__init__()
        half = out_channels // 2
        self.downsample = nn.AvgPool2d(2, ceil_mode=True) if stride == 2 else nn.Identity()
        self.conv1 = nn.Sequential(nn.Conv2d(in_channels, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.fu = FourierUnit(half, half)
        self.lfu = FourierUnit(half, half) if lfu else None
        self.conv2 = nn.Conv2d(half, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.downsample(x))
        z = y + self.fu(y)
        if self.lfu is not None:
            z = z + self._quadrants(y, self.lfu)
        return self.conv2(z)

    def _quadrants(self, y: Tensor, unit: FourierUnit) -> Tensor:
        """Published for square, even maps only; an odd side is continued by its last row or column and cropped."""
        height, width = y.shape[-2:]
        quarter = F.pad(y[:, : y.shape[1] // 4], (0, width % 2, 0, height % 2), mode="replicate")
        blocks = quarter.unflatten(3, (2, -1)).unflatten(2, (2, -1))  # B, C/4, vertical, H/2, horizontal, W/2
        stacked = blocks.permute(0, 4, 2, 1, 3, 5).flatten(1, 3)
        return unit(stacked).tile(1, 1, 2, 2)[..., :height, :width]


class FFC(nn.Module):
    """The convolution itself: local and global channels, and the four paths between them.

    `ratio_in` and `ratio_out` are the global shares of the input and output channels.  A path from or to no channels
    does not exist.  `gated` scales the two crossing paths by maps computed from the input.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        ratio_in: float,
        ratio_out: float,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        lfu: bool = False,
        gated: bool = False,
    ) -> None:
        super().__init__()
        in_global, out_global = int(in_channels * ratio_in), int(out_channels * ratio_out)
        in_local, out_local = in_channels - in_global, out_channels - out_global

        def path(inputs: int, outputs: int) -> nn.Conv2d | None:
            if not inputs or not outputs:
                return None
            return nn.Conv2d(
                inputs, outputs, kernel_size, stride, padding, dilation, bias=False, padding_mode="reflect"
            )

        self.convl2l = path(in_local, out_local)
        self.convl2g = path(in_local, out_global)
        self.convg2l = path(in_global, out_local)
        self.convg2g = SpectralTransform(in_global, out_global, stride, lfu) if in_global and out_global else None
        self.gate = nn.Conv2d(in_channels, 2, 1) if gated else None

    def forward(self, x: Split) -> Split:
        """x and result: local and global part, both of one size (both of the result strided alike)."""
        l2l, l2g = _run(self.convl2l, x.local), _run(self.convl2g, x.local)
        g2l, g2g = _run(self.convg2l, x.spectral), _run(self.convg2g, x.spectral)
        if self.gate is not None:
            gates = torch.sigmoid(self.gate(concatenate(x)))
            g2l, l2g = _scale(g2l, gates[:, :1]), _scale(l2g, gates[:, 1:])
        return Split(_sum(l2l, g2l), _sum(l2g, g2g))


class FFCBlock(nn.Module):
    """FFC, then batch norm and ReLU on each part; arguments as for `FFC`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        ratio_in: float,
        ratio_out: float,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        lfu: bool = False,
        gated: bool = False,
    ) -> None:
        super().__init__()
        self.ffc = FFC(
            in_channels, out_channels, kernel_size, ratio_in, ratio_out, stride, padding, dilation, lfu, gated
        )
        out_global = int(out_channels * ratio_out)
        self.bn_l = nn.BatchNorm2d(out_channels - out_global) if out_global < out_channels else None
        self.bn_g = nn.BatchNorm2d(out_global) if out_global else None

    def forward(self, x: Tensor | Split) -> Split:
        """x: local and global part, or a tensor that is all local."""
        local, spectral = self.ffc(x if isinstance(x, Split) else Split(x, None))
        return Split(
            F.relu(self.bn_l(local)) if self.bn_l is not None else None,
            F.relu(self.bn_g(spectral)) if self.bn_g is not None else None,
        )


class FFCResidualBlock(nn.Module):
    """Two 3x3 `FFCBlock`s, ReLU after the second one included, added to what came in."""

    def __init__(self, channels: int, ratio: float, lfu: bool = False, gated: bool = False) -> None:
        super().__init__()
        self.conv1 = FFCBlock(channels, channels, 3, ratio, ratio, padding=1, lfu=lfu, gated=gated)
        self.conv2 = FFCBlock(channels, channels, 3, ratio, ratio, padding=1, lfu=lfu, gated=gated)

    def forward(self, x: Split) -> Split:
        y = self.conv2(self.conv1(x))
        return Split(_sum(x.local, y.local), _sum(x.spectral, y.spectral))


def concatenate(x: Split) -> Tensor:
    """Local and global part as one tensor."""
    return torch.cat([part for part in x if part is not None], dim=1)


def _run(path: nn.Module | None, x: Tensor | None) -> Tensor | None:
    return None if path is None else path(x)


def _scale(x: Tensor | None, gate: Tensor) -> Tensor | None:
    return None if x is None else x * gate


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b
