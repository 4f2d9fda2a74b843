"""The benchmark's literal formulas are those that the networks compute."""

import torch

from models.pennet.attention import transfer
from models.structureflow import resample2d
from plugin.measuring.bench_networks import literal_attention, literal_resample


def test_literal_attention_agrees():
    generator = torch.Generator().manual_seed(1)
    low, high = torch.rand(4, 12, 10, generator=generator), torch.rand(6, 6, 5, generator=generator)
    known = torch.ones(6, 5)
    known[2:4, 1:3] = 0
    torch.testing.assert_close(literal_attention(low, high, known, 30), transfer(low, high, known, 3))


def test_literal_resampling_agrees():
    generator = torch.Generator().manual_seed(2)
    image = torch.rand(1, 3, 9, 8, generator=generator)
    flow = (torch.rand(1, 2, 5, 6, generator=generator) - 0.5) * 12
    for kernel_size, sigma in ((4, 2.0), (16, 4.0)):
        expected = literal_resample(image[0], flow[0], kernel_size, sigma, rows=5)
        torch.testing.assert_close(resample2d(image, flow, kernel_size, sigma)[0], expected, rtol=1e-4, atol=1e-5)
