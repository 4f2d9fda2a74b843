"""CARAFE, content-aware reassembly of features: Wang, Chen, Xu, Liu, Loy, Lin, ICCV 2019, arXiv:1905.02188.

`carafe` is the reassembly operator (section 3.3), `CarafePack` the operator with its kernel prediction (section 3.2).
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from .reassembly import Reassembly, feature_gradient, mask_gradient, reassemble


def carafe(features: Tensor, masks: Tensor, kernel_size: int, group_size: int, scale_factor: int) -> Tensor:
    """Each output pixel is the sum of the k x k features around its source pixel, weighted by its own kernel.

    features [N,C,h,w]; masks [N,k*k*G,h*s,w*s], the kernels, row by row, of G groups of C/G channels; the result is
    [N,C,h*s,w*s] in the dtype and memory format of the features.  k = kernel_size is odd, G = group_size divides C,
    s = scale_factor is at least 1.  The source of output pixel (Y, X) is (Y // s, X // s).  Kernels are used as they
    are (usually they sum to 1), and what they have beyond the border is dropped without renormalisation.

    Differentiable once with respect to both tensors.  On top of features, masks and output (backward: and their
    gradients) it takes less than half their memory, as it works through strips of rows; only for pictures of fewer
    rows than two kernels, or under 0.5 MB, it may be more.

    Example:
        >>> import torch
        >>> x, kernels = torch.rand(1, 8, 4, 6), torch.rand(1, 25, 8, 12).softmax(1)
        >>> carafe(x, kernels, kernel_size=5, group_size=1, scale_factor=2).shape
        torch.Size([1, 8, 8, 12])
    """
    if features.ndim != 4 or not features.numel():
        raise ValueError(f"CARAFE takes features [N,C,h,w], none of them 0, not {list(features.shape)}.")
    n, channels, h, w = features.shape
    how = _reassembly(channels, kernel_size, group_size, scale_factor)
    expected = (n, kernel_size**2 * group_size, h * scale_factor, w * scale_factor)
    if masks.shape != expected:
        raise ValueError(
            f"Features {list(features.shape)} with kernel_size {kernel_size}, group_size {group_size} and "
            f"scale_factor {scale_factor} need masks {list(expected)}, not {list(masks.shape)}."
        )
    result: Tensor = _Carafe.apply(features, masks, how)
    return result


class CarafePack(nn.Module):
    """Upsampling by an integer factor with kernels predicted from the features; published as CARAFEPack.

    channels: C, divisible by up_group; scale_factor: s, at least 1; up_kernel, encoder_kernel: odd sides of the
    reassembly and of the encoder's convolution; encoder_dilation: of the latter; compressed_channels: that it sees.
    """

    def __init__(
        self,
        channels: int,
        scale_factor: int,
        up_kernel: int = 5,
        up_group: int = 1,
        encoder_kernel: int = 3,
        encoder_dilation: int = 1,
        compressed_channels: int = 64,
    ) -> None:
        super().__init__()
        _reassembly(channels, up_kernel, up_group, scale_factor)
        if encoder_kernel < 1 or encoder_kernel % 2 == 0:
            raise ValueError(f"encoder_kernel is odd, not {encoder_kernel}.")
        self.up_kernel, self.up_group, self.scale_factor = up_kernel, up_group, scale_factor
        self.channel_compressor = nn.Conv2d(channels, compressed_channels, 1)
        self.content_encoder = nn.Conv2d(
            compressed_channels,
            up_kernel**2 * up_group * scale_factor**2,
            encoder_kernel,
            padding=(encoder_kernel - 1) * encoder_dilation // 2,
            dilation=encoder_dilation,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """At first all neighbours weigh nearly the same."""
        nn.init.xavier_uniform_(self.channel_compressor.weight)
        nn.init.normal_(self.content_encoder.weight, std=0.001)
        for layer in (self.channel_compressor, self.content_encoder):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def kernels(self, x: Tensor) -> Tensor:
        """x [N,C,h,w] -> masks for `carafe` [N,k*k*G,h*s,w*s]: each kernel is positive and sums to 1."""
        logits = F.pixel_shuffle(self.content_encoder(self.channel_compressor(x)), self.scale_factor)
        return logits.unflatten(1, (self.up_group, -1)).softmax(2).flatten(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """x [N,C,h,w] -> [N,C,h*s,w*s]."""
        return carafe(x, self.kernels(x), self.up_kernel, self.up_group, self.scale_factor)


class _Carafe(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, masks: Tensor, how: Reassembly) -> Tensor:
        ctx.save_for_backward(features, masks)
        ctx.how = how
        return reassemble(features, masks, how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        features, masks = ctx.saved_tensors
        for_features, for_masks, _ = ctx.needs_input_grad
        return (
            feature_gradient(features, masks, gradient, ctx.how) if for_features else None,
            mask_gradient(features, masks, gradient, ctx.how) if for_masks else None,
            None,
        )


def _reassembly(channels: int, kernel_size: int, group_size: int, scale_factor: int) -> Reassembly:
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"The kernel size is odd, not {kernel_size}.")
    if scale_factor < 1:
        raise ValueError(f"The scale factor is at least 1, not {scale_factor}.")
    if group_size < 1 or channels % group_size:
        raise ValueError(f"The groups divide the channels evenly; {channels} channels do not make {group_size} groups.")
    return Reassembly(kernel_size, group_size, scale_factor)
