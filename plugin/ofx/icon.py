"""Draws a node's icon, a PNG of 64 by 64 pixels: a soft figure on a tile whose colour follows from the node's name."""

from __future__ import annotations

import colorsys
import hashlib
import struct
import zlib

import numpy as np

SIZE = 64


def draw_icon(name: str) -> bytes:
    """The PNG file of a node's icon."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64) + 0.5
    hue = hashlib.sha256(name.encode()).digest()[0] / 256
    tile = np.array(colorsys.hsv_to_rgb(hue, 0.55, 0.55))
    head = _inside(1 - np.hypot((x - 32) / 11, (y - 22) / 12), 11)
    body = _inside(1 - np.hypot((x - 32) / 22, (y - 62) / 26), 22)
    figure = np.maximum(head, body)[..., None]
    # The left half shows what comes in, the right half the matte of it.
    matte = np.where(x[..., None] >= 32, 1.0, 0.75 + 0.25 * tile)
    ground = np.where(x[..., None] >= 32, 0.08, tile)
    colour = figure * matte + (1 - figure) * ground
    corner = np.hypot(np.maximum(np.abs(x - 32) - 22, 0), np.maximum(np.abs(y - 32) - 22, 0))
    alpha = np.clip(10.5 - corner, 0, 1)[..., None]
    pixels = np.rint(255 * np.concatenate([colour, alpha], axis=2)).astype(np.uint8)
    return _png(pixels)


def _inside(distance: np.ndarray, radius: float) -> np.ndarray:
    return np.clip(distance * radius + 0.5, 0, 1)


def _png(pixels: np.ndarray) -> bytes:
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">2I5B", width, height, 8, 6, 0, 0, 0)
    chunks = [_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows, 9)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
