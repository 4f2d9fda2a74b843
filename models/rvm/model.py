"""The published network: encoder, LR-ASPP, recurrent decoder, heads and refiner."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ..encoders import Features, MobileNetV3Encoder, ResNetEncoder
from .decoder import LRASPP, Projection, RecurrentDecoder, States
from .guided_filter import DeepGuidedFilterRefiner, FastGuidedFilterRefiner

VARIANTS = ("mobilenetv3", "resnet50")
REFINERS = {"deep_guided_filter": DeepGuidedFilterRefiner, "fast_guided_filter": FastGuidedFilterRefiner}


class CoarseWithState(NamedTuple):
    """The matte at the size of the small source, before refinement and unclamped: fgr (3 channels, the residual
    fgr - src), pha (1), hid (16 features for the refiner), each [B,C,h,w] or [B,T,C,h,w]; and the new state."""

    fgr: Tensor
    pha: Tensor
    hid: Tensor
    states: States


class MattingOutput(NamedTuple):
    """fgr (3 channels, straight foreground) and pha (1) in 0..1, shaped like src; r1 to r4 [B,C,h,w], the new state."""

    fgr: Tensor
    pha: Tensor
    r1: Tensor
    r2: Tensor
    r3: Tensor
    r4: Tensor


class SegmentationOutput(NamedTuple):
    """seg: person logits (1 channel) at the size of the small source; r1 to r4 [B,C,h,w], the new state."""

    seg: Tensor
    r1: Tensor
    r2: Tensor
    r3: Tensor
    r4: Tensor


class MattingNetwork(nn.Module):
    """Video matting with recurrent state, for a frame [B,3,H,W] or a clip [B,T,3,H,W] of any size.

    variant: "mobilenetv3" or "resnet50"; refiner: "deep_guided_filter" (the published weights) or "fast_guided_filter".
    A clip gives what its frames give one after the other with the state handed on.
    """

    def __init__(self, variant: str = "mobilenetv3", refiner: str = "deep_guided_filter") -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"There is no variant {variant!r}; the variants are {', '.join(VARIANTS)}.")
        if refiner not in REFINERS:
            raise ValueError(f"There is no refiner {refiner!r}; the refiners are {', '.join(REFINERS)}.")
        self.backbone: MobileNetV3Encoder | ResNetEncoder
        if variant == "mobilenetv3":
            self.backbone = MobileNetV3Encoder()
            context, outputs = 128, (80, 40, 32, 16)
        else:
            self.backbone = ResNetEncoder(50)
            context, outputs = 256, (128, 64, 32, 16)
        f1, f2, f3, f4 = self.backbone.channels
        self.aspp = LRASPP(f4, context)
        self.decoder = RecurrentDecoder((f1, f2, f3, context), outputs)
        self.project_mat = Projection(outputs[3], 4)
        self.project_seg = Projection(outputs[3], 1)
        self.refiner = REFINERS[refiner]()

    def shrink(self, src: Tensor, downsample_ratio: float) -> Tensor:
        """src resized bilinearly to floor(H * ratio), likewise W, sampled at (i + 0.5) / ratio - 0.5; itself at 1."""
        if not 0 < downsample_ratio <= 1:
            raise ValueError(f"downsample_ratio is above 0 and at most 1, not {downsample_ratio!r}.")
        if downsample_ratio == 1:
            return src
        if min(src.shape[-2:]) * downsample_ratio < 1:
            size = f"{src.shape[-1]} x {src.shape[-2]}"
            raise ValueError(f"A picture of {size} vanishes at downsample_ratio {downsample_ratio}.")
        frames, clip = _fold(src)
        small = F.interpolate(
            frames, scale_factor=downsample_ratio, mode="bilinear", align_corners=False, recompute_scale_factor=False
        )
        return _unfold(small, clip)

    def advance(
        self,
        src_sm: Tensor,
        r1: Tensor | None = None,
        r2: Tensor | None = None,
        r3: Tensor | None = None,
        r4: Tensor | None = None,
    ) -> States:
        """Only the new state after the (small) frame or clip, for replaying what came before a frame."""
        return self._recur(*_fold(src_sm), (r1, r2, r3, r4))[1]

    def coarse(
        self,
        src_sm: Tensor,
        r1: Tensor | None = None,
        r2: Tensor | None = None,
        r3: Tensor | None = None,
        r4: Tensor | None = None,
    ) -> CoarseWithState:
        """The matte of the (small) frame or clip at its own size, before refinement, and the new state."""
        hid, states, clip = self._hidden(src_sm, (r1, r2, r3, r4))
        out = self.project_mat(hid)
        return CoarseWithState(_unfold(out[:, :3], clip), _unfold(out[:, 3:], clip), _unfold(hid, clip), states)

    def refine(self, src: Tensor, src_sm: Tensor, coarse: CoarseWithState) -> tuple[Tensor, Tensor]:
        """The coarse matte of src_sm brought to the size of src: residual fgr (3 channels) and pha (1), unclamped."""
        frames, clip = _fold(src)
        small = (_fold(x)[0] for x in (src_sm, coarse.fgr, coarse.pha, coarse.hid))
        fgr, pha = self.refiner(frames, *small)
        return _unfold(fgr, clip), _unfold(pha, clip)

    def forward(
        self,
        src: Tensor,
        r1: Tensor | None = None,
        r2: Tensor | None = None,
        r3: Tensor | None = None,
        r4: Tensor | None = None,
        downsample_ratio: float = 1,
        segmentation_pass: bool = False,
    ) -> MattingOutput | SegmentationOutput:
        """Matte, or with `segmentation_pass` segment, a frame [B,3,H,W] or a clip [B,T,3,H,W] of RGB 0..1.

        r1 to r4: the state that the previous frame returned, None at the start.  `downsample_ratio`, above 0 and at
        most 1, is the size at which the network works; below 1 the refiner brings the matte to full size.  The
        published converter takes min(512 / max(H, W), 1).

        Raises ValueError for another shape, a ratio out of range or a state of another size.
        """
        if src.ndim not in (4, 5) or src.shape[-3] != 3:
            raise ValueError(f"src must have the shape [B,3,H,W] or [B,T,3,H,W], not {list(src.shape)}.")
        src_sm = self.shrink(src, downsample_ratio)
        if segmentation_pass:
            hid, states, clip = self._hidden(src_sm, (r1, r2, r3, r4))
            return SegmentationOutput(_unfold(self.project_seg(hid), clip), *states)
        coarse = self.coarse(src_sm, r1, r2, r3, r4)
        fgr, pha = (coarse.fgr, coarse.pha) if downsample_ratio == 1 else self.refine(src, src_sm, coarse)
        return MattingOutput((fgr + src).clamp(0, 1), pha.clamp(0, 1), *coarse.states)

    def _recur(self, frames: Tensor, clip: int | None, states: tuple[Tensor | None, ...]) -> tuple[Tensor, States]:
        f1, f2, f3, f4 = self.backbone(frames)
        return self.decoder.recur(frames, Features(f1, f2, f3, self.aspp(f4)), states, clip or 1)

    def _hidden(self, src_sm: Tensor, states: tuple[Tensor | None, ...]) -> tuple[Tensor, States, int | None]:
        frames, clip = _fold(src_sm)
        x, new = self._recur(frames, clip, states)
        return self.decoder.decode0(x, frames), new, clip


def _fold(x: Tensor) -> tuple[Tensor, int | None]:
    """Fold time into the batch: [B,T,...] -> [B*T,...] and T; a frame stays as it is, with None."""
    return (x.flatten(0, 1), x.shape[1]) if x.ndim == 5 else (x, None)


def _unfold(x: Tensor, clip: int | None) -> Tensor:
    return x if clip is None else x.unflatten(0, (-1, clip))
