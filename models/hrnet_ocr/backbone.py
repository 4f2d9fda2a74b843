"""The body: parallel branches at 1/4, 1/8, 1/16 and 1/32 of the picture that keep exchanging what they see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from .upsampling import UPSAMPLERS, upsampler

Branches = tuple[Tensor, ...]


class StageDepths(NamedTuple):
    """Bottlenecks before the branches, modules of the stages with 2, 3 and 4 branches, blocks in each branch of one."""

    bottlenecks: int
    modules: tuple[int, int, int]
    blocks: int


BODIES = {
    "full": StageDepths(4, (1, 4, 3), 4),
    "small_v2": StageDepths(2, (1, 3, 2), 2),
    "tiny": StageDepths(1, (1, 1, 1), 2),
}


class HighResolutionModule(nn.Module):
    """Residual blocks in every branch, then the exchange between all of them (arXiv:1908.07919, section 3.2).

    channels: of the branches, finest first; each branch has half the size of the one before, rounded up.
    blocks: residual blocks in each branch.  outputs: how many branches, from the finest, go on (None: all).
    """

    def __init__(
        self, channels: Sequence[int], blocks: int, upsampling: str = "bilinear", outputs: int | None = None
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(blocks))) for width in channels
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_path(channels, source, target, upsampling) for source in range(len(channels)))
            for target in range(len(channels) if outputs is None else outputs)
        )
        self.relu = nn.ReLU()

    def forward(self, branches: Sequence[Tensor]) -> Branches:
        """branches: [N,C_i,h_i,w_i], finest first -> the first `outputs` of them, of the same shapes, >= 0."""
        seen = [branch(x) for branch, x in zip(self.branches, branches, strict=True)]
        fused = []
        for target, paths in enumerate(self.fuse_layers):
            assert isinstance(paths, nn.ModuleList)
            total = None
            for source, (path, x) in enumerate(zip(paths, seen, strict=True)):
                term = path(x, seen[target].shape[-2:]) if source > target else path(x)
                total = term if total is None else total + term
            fused.append(self.relu(total))
        return tuple(fused)


class HRNet(nn.Module):
    """The body without a head.

    width: channels of the finest branch; the others have 2, 4 and 8 times as many.  body: "full", "small_v2" or, for
    thin things on small machines, "tiny".  upsampler: how coarse branches reach finer ones, "bilinear" (published) or
    "carafe".  stem_channels: before the branches; stem_stride: 4 (published), or 2 for branches of twice the size.
    """

    def __init__(
        self,
        width: int = 48,
        body: str = "full",
        upsampler: str = "bilinear",
        stem_channels: int = 64,
        stem_stride: int = 4,
        *,
        finest_only: bool = False,
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width is at least 1, not {width}.")
        if body not in BODIES:
            raise ValueError(f"There is no body {body!r}; the bodies are {', '.join(BODIES)}.")
        if upsampler not in UPSAMPLERS:
            raise ValueError(f"There is no upsampler {upsampler!r}; the upsamplers are {', '.join(UPSAMPLERS)}.")
        if stem_stride not in (2, 4):
            raise ValueError(f"stem_stride is 2 or 4, not {stem_stride}.")
        sizes = BODIES[body]
        stem, deep = stem_channels, 4 * stem_channels
        self.channels = tuple(width * 2**i for i in range(4))
        self.conv1 = nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = nn.Conv2d(stem, stem, 3, stride=stem_stride // 2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(
            Bottleneck(stem, stem, downsample=conv_norm(stem, deep, 1, relu=False)),
            *(Bottleneck(deep, stem) for _ in range(sizes.bottlenecks - 1)),
        )
        self.transition1 = nn.ModuleList(
            [conv_norm(deep, self.channels[0]), nn.Sequential(conv_norm(deep, self.channels[1], stride=2))]
        )
        self.stage2 = self._stage(2, sizes, upsampler)
        self.transition2 = self._transition(2)
        self.stage3 = self._stage(3, sizes, upsampler)
        self.transition3 = self._transition(3)
        self.stage4 = self._stage(4, sizes, upsampler, 1 if finest_only else None)

    def _stage(self, branches: int, body: StageDepths, upsampler: str, outputs: int | None = None) -> nn.Sequential:
        count = body.modules[branches - 2]
        return nn.Sequential(
            *(
                HighResolutionModule(
                    self.channels[:branches], body.blocks, upsampler, outputs if i == count - 1 else None
                )
                for i in range(count)
            )
        )

    def _transition(self, branches: int) -> nn.ModuleList:
        """The way to a stage with one branch more; only the new branch, made from the coarsest, has parameters."""
        new = nn.Sequential(conv_norm(self.channels[branches - 1], self.channels[branches], stride=2))
        return nn.ModuleList([*(nn.Identity() for _ in range(branches)), new])

    def features(self, x: Tensor) -> Branches:
        """x [N,3,H,W], a picture from `normalize`, of any size -> [N,C_i,h_i,w_i], finest first, >= 0.

        C_i = width * 2^i; h_0 is H/stem_stride and h_i is h_(i-1) / 2, halved step by step and rounded up each time.
        """
        if x.ndim != 4 or x.shape[1] != 3 or not x.numel():
            raise ValueError(f"HRNet takes pictures [N,3,H,W], at least one and not empty, not {list(x.shape)}.")
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer1(self.relu(self.bn2(self.conv2(x))))
        branches: Branches = self.stage2([way(x) for way in self.transition1])
        for transition, stage in ((self.transition2, self.stage3), (self.transition3, self.stage4)):
            branches = stage([way(x) for way, x in zip(transition, (*branches, branches[-1]), strict=True)])
        return branches


class _Up(nn.Sequential):
    """1x1 convolution and normalisation at the coarse size, then upsampling."""

    def __init__(self, source: int, target: int, doublings: int, upsampling: str) -> None:
        super().__init__(*conv_norm(source, target, 1, relu=False), upsampler(upsampling, target, doublings))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:  # type: ignore[override]
        conv, norm, up = self
        return up(norm(conv(x)), size)


def _path(channels: Sequence[int], source: int, target: int, upsampling: str) -> nn.Module:
    if source > target:
        return _Up(channels[source], channels[target], source - target, upsampling)
    if source == target:
        return nn.Identity()
    halvings = target - source
    return nn.Sequential(
        *(conv_norm(channels[source], channels[source], stride=2) for _ in range(halvings - 1)),
        conv_norm(channels[source], channels[target], stride=2, relu=False),
    )


def conv_norm(source: int, target: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """A convolution without bias, batch normalisation and, on request, a ReLU."""
    conv = nn.Conv2d(source, target, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(target), *([nn.ReLU()] if relu else []))
