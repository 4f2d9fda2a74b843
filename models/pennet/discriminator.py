"""The patch discriminator of PEN-Net's training."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from .generator import initialise


class PENNetDiscriminator(nn.Module):
    """Four spectrally normalised 5x5 convolutions and a classifier (Miyato et al., ICLR 2018, arXiv:1802.05957)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, stride in ((3, 64, 2), (64, 128, 2), (128, 256, 2), (256, 512, 1)):
            conv = nn.Conv2d(inputs, outputs, 5, stride, 1, bias=False)
            initialise(conv)
            layers += [spectral_norm(conv), nn.LeakyReLU(0.2)]
        self.encoder = nn.Sequential(*layers)
        self.classifier = nn.Conv2d(512, 1, 5, padding=1)
        initialise(self.classifier)

    def forward(self, x: Tensor) -> Tensor:
        """x: [B,3,H,W], RGB -1..1, sides of 39 or more.  Scores [B,1,h,w] per patch, unbounded (above 0: real)."""
        return self.classifier(self.encoder(x))
