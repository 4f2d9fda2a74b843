"""What each of the two processes of tests/test_training_loop.py does: torchrun two_processes.py FOLDER"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import torch
from tiny_training import Batch, Blur, JudgedBlur, trainer
from torch import nn

from models.training import cli
from models.training.data import pool
from models.training.loop import processes
from models.training.recipes import segment


class Dealt(Blur):
    """Batches dealt in turn to `count` processes, whatever the generator: every batch is used once."""

    name = "dealt"

    def __init__(self, count: int, rank: int) -> None:
        self.count, self.next = count, rank

    def batch(self, examples, rng, progress) -> Batch:
        generator = torch.Generator().manual_seed(self.next)
        self.next += self.count
        x = torch.rand((2, 1, 8, 8), generator=generator)
        return Batch(x, nn.functional.avg_pool2d(x, 3, 1, 1))


def plain_model() -> nn.Module:
    """Channels-last, as the networks are: the second weight lies in memory in another order than its indices."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1))
    return model.to(memory_format=torch.channels_last)


def main(folder: Path) -> int:
    with processes.together("cpu"):
        group = processes.current()
        assert group.count == 2
        average = trainer(folder / "dealt", Dealt(2, group.rank), plain_model()).run()
        torch.save(average, folder / f"dealt_{group.rank}.pt")
        torch.manual_seed(group.rank)  # weights that differ at first
        stage = JudgedBlur()
        network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))
        for _ in range(3):  # one process is out of time: all stop
            run = trainer(folder / "judged", stage, network, deadline=-1.0 if group.rank else 1e12, show_every=3)
            run.run()
        left = {"model": run.model.state_dict(), "judge": stage.judge.state_dict(), "step": run.step}
        torch.save(left, folder / f"judged_{group.rank}.pt")
        group.wait()
        return command(folder / "command")


def command(out: Path) -> int:
    """The command itself, in the same group."""
    pool.build = partial(pool.build, processes=1)
    for small in (segment.SmallStage, segment.LargeStage):
        small.side, small.count = 64, 1
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    common = ["--out", str(out), "--sprites", "2", "--scenes", "2", "--steps", "2"]
    return cli.run(parser.parse_args(["segment", *common, "--stage", "small"]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
