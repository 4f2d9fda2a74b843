"""Pixel windows as EXR means them: integer rectangles in a shared pixel space, y downwards."""

from __future__ import annotations

from dataclasses import dataclass

# How far from the origin a window may lie, and how wide and high it may be: beyond what anybody works on.
FARTHEST, WIDEST = 1 << 24, 1 << 20


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of whole pixels: `x`, `y` is the top left pixel, which may be negative; sizes may be zero."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column right of the window."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the window."""
        return self.y + self.height

    @property
    def empty(self) -> bool:
        return self.width <= 0 or self.height <= 0

    def intersect(self, other: Window) -> Window:
        x, y = max(self.x, other.x), max(self.y, other.y)
        return Window(x, y, max(0, min(self.right, other.right) - x), max(0, min(self.bottom, other.bottom) - y))

    def union(self, other: Window) -> Window:
        if self.empty or other.empty:
            return other if self.empty else self
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Window(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)

    def slices_in(self, outer: Window) -> tuple[slice, slice]:
        """Rows and columns of this window inside an array that holds `outer`; it must lie within `outer`.

        >>> print(Window(0, 0, 1920, 1080).intersect(Window(-20, 100, 40, 2000)))
        20x980+0+100

        >>> print(Window(0, 0, 10, 10).union(Window(-5, 2, 10, 20)))
        15x22-5+0
        """
        return (
            slice(self.y - outer.y, self.bottom - outer.y),
            slice(self.x - outer.x, self.right - outer.x),
        )

    def __str__(self) -> str:
        return f"{self.width}x{self.height}{self.x:+d}{self.y:+d}"
