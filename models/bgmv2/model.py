"""The two published networks: the coarse one alone, and the coarse one followed by the refiner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from ..encoders import MobileNetV2Encoder, ResNetEncoder
from .decoder import Decoder
from .refiner import MODES, Refined, Refiner

BACKBONES = ("mobilenetv2", "resnet50", "resnet101")


class CoarseMatte(NamedTuple):
    """pha [B,1,h,w] and err [B,1,h,w] in 0..1; fgr [B,3,h,w], the unclamped residual fgr - src; hid [B,32,h,w] >= 0."""

    pha: Tensor
    fgr: Tensor
    err: Tensor
    hid: Tensor


class BaseOutput(NamedTuple):
    """pha [B,1,H,W], fgr [B,3,H,W] (straight foreground) and err [B,1,H,W] in 0..1; hid [B,32,H,W] >= 0."""

    pha: Tensor
    fgr: Tensor
    err: Tensor
    hid: Tensor


class RefineOutput(NamedTuple):
    """pha [B,1,H,W] and fgr [B,3,H,W] (straight foreground) in 0..1; the same, pha_sm and fgr_sm, and the predicted
    error err_sm in 0..1 at the coarse size h = floor(H * backbone_scale), likewise w; ref_sm [B,1,H/4,W/4], 1 where
    refined, else 0."""

    pha: Tensor
    fgr: Tensor
    pha_sm: Tensor
    fgr_sm: Tensor
    err_sm: Tensor
    ref_sm: Tensor


class MattingBase(nn.Module):
    """The coarse network: encoder, ASPP and decoder on source and clean plate (arXiv:2012.07810, section 4.1)."""

    def __init__(self, backbone: str = "mobilenetv2") -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"There is no backbone {backbone!r}; the backbones are {', '.join(BACKBONES)}.")
        self.backbone = (
            MobileNetV2Encoder(in_channels=6)
            if backbone == "mobilenetv2"
            else ResNetEncoder(int(backbone.removeprefix("resnet")), in_channels=6)
        )
        f1, f2, f3, f4 = self.backbone.channels
        self.aspp = ASPP(f4, [3, 6, 9])
        self.decoder = Decoder((256, 128, 64, 48, 37), (f3, f2, f1, 6))

    def coarse(self, src: Tensor, bgr: Tensor) -> CoarseMatte:
        """The coarse stage on src and bgr [B,3,h,w], RGB 0..1, at the size they have."""
        both = torch.cat([src, bgr], dim=1)
        f1, f2, f3, f4 = self.backbone(both)
        x = self.decoder(self.aspp(f4), f3, f2, f1, both)
        return CoarseMatte(x[:, :1].clamp(0, 1), x[:, 1:4], x[:, 4:5].clamp(0, 1), x[:, 5:].relu())

    def forward(self, src: Tensor, bgr: Tensor) -> BaseOutput:
        """src (plate) and bgr (clean plate): [B,3,H,W], float, display-encoded RGB 0..1, of one size (any).

        Raises ValueError if the two do not match.
        """
        _check_pair(src, bgr)
        pha, fgr, err, hid = self.coarse(src, bgr)
        return BaseOutput(pha, (fgr + src).clamp(0, 1), err, hid)


class MattingRefine(MattingBase):
    """The coarse network at reduced size, then the refiner at full size where the predicted error is large.

    backbone_scale: size of the coarse stage over that of the picture, above 0, at most 1/2 (paper: HD 1/4, 4K 1/8).
    refine_mode: "sampling" refines the refine_sample_pixels pixels of largest error (80 000 for HD, 320 000 for 4K),
    "thresholding" all with an error above refine_threshold (0..1), "full" everything.  refine_kernel_size: 3 or 1.
    All but backbone and kernel size are plain attributes that may be changed between calls, and so is `strip_rows`
    (None): rows computed at a time in mode "full", a multiple of 4; it bounds memory and leaves the values alone.
    """

    def __init__(
        self,
        backbone: str = "mobilenetv2",
        backbone_scale: float = 0.25,
        refine_mode: str = "sampling",
        refine_sample_pixels: int = 80_000,
        refine_threshold: float = 0.1,
        refine_kernel_size: int = 3,
    ) -> None:
        super().__init__(backbone)
        self.refiner = Refiner(refine_kernel_size)
        self.backbone_scale = backbone_scale
        self.refine_mode = refine_mode
        self.refine_sample_pixels = refine_sample_pixels
        self.refine_threshold = refine_threshold
        self.strip_rows: int | None = None
        self._check_settings()

    def shrink(self, image: Tensor) -> Tensor:
        """[B,C,H,W] resized bilinearly to the coarse size, floor(H * backbone_scale) and likewise the width."""
        height, width = (int(side * self.backbone_scale) for side in image.shape[-2:])
        if not height or not width:
            raise ValueError(
                f"A picture of {image.shape[-1]} x {image.shape[-2]} vanishes at backbone_scale {self.backbone_scale}."
            )
        return F.interpolate(image, (height, width), mode="bilinear", align_corners=False)

    def refine(self, src: Tensor, bgr: Tensor, coarse: CoarseMatte) -> Refined:
        """The refine stage on src and bgr [B,3,H,W] and a coarse stage of any size."""
        return self.refiner(
            src,
            bgr,
            *coarse,
            mode=self.refine_mode,
            sample_pixels=self.refine_sample_pixels,
            threshold=self.refine_threshold,
            strip_rows=self.strip_rows,
        )

    def forward(self, src: Tensor, bgr: Tensor) -> RefineOutput:  # type: ignore[override]
        """src (plate) and bgr (clean plate): [B,3,H,W], float, display-encoded RGB 0..1, H and W divisible by 4.

        Raises ValueError if the two do not match, a side is not divisible by 4 or a setting is out of range.
        """
        self._check_settings()
        _check_pair(src, bgr)
        height, width = src.shape[-2:]
        if height % 4 or width % 4:
            raise ValueError(
                f"Width and height must be divisible by 4, not {width} x {height}: pad the pictures first."
            )
        src_sm = self.shrink(src)
        coarse = self.coarse(src_sm, self.shrink(bgr))
        pha, fgr, ref = self.refine(src, bgr, coarse)
        return RefineOutput(
            pha.clamp(0, 1), (fgr + src).clamp(0, 1), coarse.pha, (coarse.fgr + src_sm).clamp(0, 1), coarse.err, ref
        )

    def _check_settings(self) -> None:
        if not 0 < self.backbone_scale <= 0.5:
            raise ValueError(f"backbone_scale is above 0 and at most 0.5, not {self.backbone_scale!r}.")
        if self.refine_mode not in MODES:
            raise ValueError(f"There is no refine_mode {self.refine_mode!r}; the modes are {', '.join(MODES)}.")
        if self.refine_sample_pixels < 0:
            raise ValueError(f"refine_sample_pixels is at least 0, not {self.refine_sample_pixels!r}.")


def load_deeplab(model: MattingBase, state_dict: Mapping[str, Tensor]) -> list[str]:
    """Start encoder and ASPP from DeepLabV3 weights trained on VOC (named as in VainF's repository), as the paper does.

    Entries named `backbone.*` and `classifier.classifier.0.*` (the ASPP) are copied where name and shape match; the
    6-channel first convolution, which has no counterpart, and the rest keep their values.  Returns the keys loaded.
    """
    own = model.state_dict()
    renamed = {key.replace("classifier.classifier.0.", "aspp."): value for key, value in state_dict.items()}
    matching = {key: value for key, value in renamed.items() if key in own and own[key].shape == value.shape}
    model.load_state_dict(matching, strict=False)
    return list(matching)


def _check_pair(src: Tensor, bgr: Tensor) -> None:
    for name, image in (("src", src), ("bgr", bgr)):
        if image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(f"{name} must have the shape [B,3,H,W], not {list(image.shape)}.")
    if src.shape != bgr.shape:
        raise ValueError(f"src and bgr must have one shape, not {list(src.shape)} and {list(bgr.shape)}.")
