"""The loss over time in so few numbers that they fit into a card, however long it learned."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 200


class Losses:
    """Means over equal numbers of steps; of twice `MOST` means every two become one.

    >>> curve = Losses()
    >>> for step in range(1, 5):
    ...     curve.add(step, float(step))
    >>> curve.means
    [[1, 1.0], [2, 2.0], [3, 3.0], [4, 4.0]]
    """

    def __init__(self, means: Sequence[Sequence[float]] = ()) -> None:
        """`means` are those of an earlier process: the last step of each, and the mean."""
        self.means = [[int(step), float(loss)] for step, loss in means]
        self._every = int(self.means[0][0]) if self.means else 1
        self._sum, self._count = 0.0, 0

    @property
    def latest(self) -> float | None:
        """The loss of late; None until there is one."""
        return self.means[-1][1] if self.means else None

    def add(self, step: int, loss: float) -> None:
        self._sum, self._count = self._sum + loss, self._count + 1
        if step % self._every:
            return
        self.means.append([step, round(self._sum / self._count, 6)])
        self._sum, self._count = 0.0, 0
        if len(self.means) >= 2 * MOST:
            self.means = [
                [b[0], round((a[1] + b[1]) / 2, 6)] for a, b in zip(self.means[::2], self.means[1::2], strict=True)
            ]
            self._every *= 2
