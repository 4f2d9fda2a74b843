"""HRNet with its heads.  Logits come at the size of the finest branch: 1/4 of the picture, halved twice, rounded up.

Only HRNetOCR's own options `stem_stride`, `magnify` and `detail_channels` change that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from ..carafe import CarafePack
from .backbone import HRNet, conv_norm
from .ocr import SpatialGather, SpatialOCR
from .upsampling import upsampler as upsampler_of

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Factors at which a picture can be looked at, and how many of them.
SMALLEST_SCALE, LARGEST_SCALE, MOST_SCALES = 0.25, 2.0, 6


class OCROutput(NamedTuple):
    """Logits [N,K,h,w]: aux, from which the classes' features were gathered, and out, the answer."""

    aux: Tensor
    out: Tensor


class Pyramid(NamedTuple):
    """Features [N,C,h,w] at 1/4, 1/8, 1/16 and 1/32, rounded up."""

    p2: Tensor
    p3: Tensor
    p4: Tensor
    p5: Tensor


def normalize(image: Tensor) -> Tensor:
    """image [...,3,H,W], display-encoded RGB 0..1 -> what the networks take: mean and deviation of ImageNet removed."""
    return (image - image.new_tensor(MEAN).view(3, 1, 1)) / image.new_tensor(STD).view(3, 1, 1)


class HRNetV1(HRNet):
    """Classes from the finest branch alone (arXiv:1908.07919, section 3.3, "HRNetV1").

    classes: K; width, body, upsampler: see HRNet.  The head's keys are those of HRNetV2; none were published.
    """

    def __init__(self, width: int = 48, classes: int = 19, upsampler: str = "bilinear", body: str = "full") -> None:
        super().__init__(width, body, upsampler, finest_only=True)
        self.last_layer = _classifier(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """x [N,3,H,W] from `normalize` -> logits [N,K,h,w]."""
        (finest,) = self.features(x)
        logits: Tensor = self.last_layer(finest)
        return logits


class JoinedHRNet(HRNet):
    """All branches brought to the size of the finest and joined: 15 * width channels, the base of three heads."""

    def __init__(self, width: int, upsampler: str, body: str, stem_channels: int = 64, stem_stride: int = 4) -> None:
        super().__init__(width, body, upsampler, stem_channels, stem_stride)
        self.upsamplers = nn.ModuleList(upsampler_of(upsampler, self.channels[i], i) for i in range(1, 4))

    def joined(self, x: Tensor) -> Tensor:
        """x [N,3,H,W] from `normalize` -> [N,15*width,h,w], >= 0."""
        finest, *others = self.features(x)
        size = finest.shape[-2:]
        return torch.cat([finest, *(up(y, size) for up, y in zip(self.upsamplers, others, strict=True))], dim=1)


class HRNetV2(JoinedHRNet):
    """Classes from all branches (arXiv:1908.07919, section 3.3, "HRNetV2").

    classes: K; width, body, upsampler: see HRNet.
    """

    def __init__(self, width: int = 48, classes: int = 19, upsampler: str = "bilinear", body: str = "full") -> None:
        super().__init__(width, upsampler, body)
        self.last_layer = _classifier(sum(self.channels), classes)

    def forward(self, x: Tensor) -> Tensor:
        """x [N,3,H,W] from `normalize` -> logits [N,K,h,w]."""
        logits: Tensor = self.last_layer(self.joined(x))
        return logits


class HRNetV2p(JoinedHRNet):
    """A feature pyramid from all branches (arXiv:1908.07919, section 3.3, "HRNetV2p"): joined, reduced, mean-pooled.

    pyramid_channels: of every level; width, body, upsampler: see HRNet.
    """

    def __init__(
        self, width: int = 48, pyramid_channels: int = 256, upsampler: str = "bilinear", body: str = "full"
    ) -> None:
        super().__init__(width, upsampler, body)
        self.reduction_conv = nn.Conv2d(sum(self.channels), pyramid_channels, 1)
        self.fpn_convs = nn.ModuleList(nn.Conv2d(pyramid_channels, pyramid_channels, 3, padding=1) for _ in range(4))

    def forward(self, x: Tensor) -> Pyramid:
        """x [N,3,H,W] from `normalize` -> four levels [N,pyramid_channels,h_i,w_i]."""
        finest = self.reduction_conv(self.joined(x))
        levels = [finest, *(F.avg_pool2d(finest, 2**i, ceil_mode=True) for i in range(1, 4))]
        return Pyramid(*(conv(level) for conv, level in zip(self.fpn_convs, levels, strict=True)))


class HRNetOCR(JoinedHRNet):
    """Classes from all branches with object-contextual representations (arXiv:1909.11065).

    classes: K; ocr_channels, key_channels: of the head's features and of its comparisons; magnify: the factor by which
    CARAFE enlarges the features before the classifier (published: 1, without); detail_channels: of features at the
    picture's own size that join the enlarged ones, for what is a pixel wide (published: 0, without; with them `magnify`
    equals `stem_stride`); detail_blocks: residual blocks at that size after they joined, for cleaner edges; window:
    side of the pictures that it learned from, 0 where that is not known: classes are described by what one picture
    shows of them, so larger ones are better seen in tiles of that size; scales: factors at which a picture is best
    seen, the answers averaged; width, body, upsampler, stem_channels, stem_stride: see HRNet.  A published name such as
    W48 or W18-small-v2 is a width and a body.
    """

    def __init__(
        self,
        width: int = 48,
        classes: int = 19,
        upsampler: str = "bilinear",
        body: str = "full",
        ocr_channels: int = 512,
        key_channels: int = 256,
        stem_channels: int = 64,
        stem_stride: int = 4,
        magnify: int = 1,
        detail_channels: int = 0,
        detail_blocks: int = 0,
        window: int = 0,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(width, upsampler, body, stem_channels, stem_stride)
        if magnify < 1:
            raise ValueError(f"magnify is at least 1, not {magnify}.")
        if detail_channels and magnify != stem_stride:
            raise ValueError(f"With detail_channels magnify equals stem_stride, {stem_stride}, not {magnify}.")
        if detail_blocks and not detail_channels:
            raise ValueError(f"detail_blocks need detail_channels; without them it is 0, not {detail_blocks}.")
        if window < 0:
            raise ValueError(f"window is 0 or more, not {window}.")
        if not 0 < len(scales) <= MOST_SCALES or not all(SMALLEST_SCALE <= s <= LARGEST_SCALE for s in scales):
            raise ValueError(
                f"scales are one to {MOST_SCALES} numbers from {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}, not {scales}."
            )
        self.window, self.scales = window, tuple(scales)
        joined = sum(self.channels)
        self.conv3x3_ocr = nn.Sequential(
            nn.Conv2d(joined, ocr_channels, 3, padding=1), nn.BatchNorm2d(ocr_channels), nn.ReLU()
        )
        self.ocr_gather_head = SpatialGather()
        self.ocr_distri_head = SpatialOCR(ocr_channels, key_channels, ocr_channels)
        self.cls_head = nn.Conv2d(2 * detail_channels or ocr_channels, classes, 1)
        self.aux_head = _classifier(joined, classes)
        if magnify > 1:
            self.magnifier = CarafePack(ocr_channels, magnify, up_kernel=3, compressed_channels=min(ocr_channels, 64))
        if detail_channels:
            self.detail = conv_norm(3, detail_channels)
            fine = 2 * detail_channels
            self.fine_head = conv_norm(ocr_channels + detail_channels, fine)
            self.fine_blocks = nn.Sequential(*(BasicBlock(fine, fine) for _ in range(detail_blocks)))

    def forward(self, x: Tensor) -> OCROutput:
        """x [N,3,H,W] from `normalize`, of any size -> logits (aux, out) [N,K,h,w], `out` larger by `magnify`.

        With detail_channels `out` is [N,K,H,W].
        """
        joined = self.joined(x)
        aux = self.aux_head(joined)
        features = self.conv3x3_ocr(joined)
        objects = self.ocr_gather_head(features, aux)
        described = self.ocr_distri_head(features, objects)
        if hasattr(self, "magnifier"):
            described = self.magnifier(described)
        if hasattr(self, "detail"):
            described = described[..., : x.shape[2], : x.shape[3]]
            described = self.fine_blocks(self.fine_head(torch.cat([described, self.detail(x)], dim=1)))
        return OCROutput(aux, self.cls_head(described))


def resize_logits(logits: Tensor, size: Sequence[int]) -> Tensor:
    """logits [N,K,h,w] -> [N,K,*size], bilinearly with corner pixels on corner pixels, as the published networks do."""
    if logits.shape[2:] == tuple(size):
        return logits
    return F.interpolate(logits, tuple(size), mode="bilinear", align_corners=True)


def _classifier(channels: int, classes: int) -> nn.Sequential:
    if classes < 1:
        raise ValueError(f"classes is at least 1, not {classes}.")
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, classes, 1)
    )
