"""The training loop on a network of a hundred weights: stopping, going on, pictures, discriminators, processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import two_processes
from tiny_training import Blur, JudgedBlur, model, trainer

from models.training.loop.ahead import ahead


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_run_out_of_time_makes_a_step_and_goes_on_exactly(tmp_path):
    """Whatever the clock says, the losses and the weights are those of one long run."""
    whole = trainer(tmp_path / "whole").run()
    calls = 0
    while True:
        cut = trainer(tmp_path / "cut", deadline=-1.0)
        average = cut.run()
        calls += 1
        if cut.finished:
            break
    assert calls == Blur.steps
    assert same(average, whole)
    assert (tmp_path / "cut/blur.jsonl").read_text() == (tmp_path / "whole/blur.jsonl").read_text()


def test_losses_after_the_last_checkpoint_of_a_killed_run_are_forgotten(tmp_path):
    whole = trainer(tmp_path / "whole").run()
    trainer(tmp_path / "cut").run(until=7)
    with (tmp_path / "cut/blur.jsonl").open("a") as file:
        file.write('{"step": 8, "total": 9.0}\n{"step": 9, "to')
    assert same(trainer(tmp_path / "cut").run(), whole)
    assert (tmp_path / "cut/blur.jsonl").read_text() == (tmp_path / "whole/blur.jsonl").read_text()


def test_a_discriminator_and_its_optimiser_go_on_exactly(tmp_path):
    whole = trainer(tmp_path / "whole", JudgedBlur())
    average = whole.run()
    trainer(tmp_path / "cut", JudgedBlur()).run(until=6)
    state = torch.load(tmp_path / "cut/judged.pt", weights_only=True)
    assert state["judge_optimiser"]["state"][0]["exp_avg"].abs().sum() > 0
    resumed = trainer(tmp_path / "cut", JudgedBlur())
    assert same(resumed.run(), average)
    assert same(resumed.stage.judge.state_dict(), whole.stage.judge.state_dict())
    assert (tmp_path / "cut/judged.jsonl").read_text() == (tmp_path / "whole/judged.jsonl").read_text()


def test_the_discriminator_learns_from_its_own_loss_alone(tmp_path):
    """Were its weights to learn from the generator's loss, they would be pulled the other way."""
    run = trainer(tmp_path, JudgedBlur())
    before = {key: value.clone() for key, value in run.stage.judge.state_dict().items()}
    run.stage.judge_loss = lambda batch: {"total": 0 * run.stage.judge(batch.y).sum()}
    run.run(until=2)
    after = run.stage.judge.state_dict()
    assert all(torch.equal(after[k], before[k]) for k in before if k.endswith(("weight", "weight_orig", "bias")))


class Overflowing(Blur):
    """One batch in the middle has an infinite pixel."""

    def batch(self, examples, rng, progress):
        batch = super().batch(examples, rng, progress)
        if progress == 0.5:
            batch.x[0, 0, 3, 3] = float("inf")
        return batch


def test_an_overflow_costs_a_step_and_not_the_weights(tmp_path, caplog):
    average = trainer(tmp_path, Overflowing()).run()
    assert all(value.isfinite().all() for value in average.values())
    assert "blur 6: the gradients overflowed; this step changes nothing" in caplog.text
    assert not same(average, trainer(tmp_path / "other").average)


def test_pictures_show_a_fixed_batch_and_leave_training_alone(tmp_path):
    plain = trainer(tmp_path / "plain").run()
    shown = trainer(tmp_path / "shown", show_every=5)
    assert same(shown.run(), plain)
    sheets = sorted((tmp_path / "shown/pictures").glob("*.png"))
    assert [sheet.name for sheet in sheets] == ["blur_000005.png", "blur_000010.png", "blur_000012.png"]
    first, second, last = (cv2.imread(str(sheet))[..., ::-1] for sheet in sheets)
    # Three rows of a label (22) and tiles of 8x8 pixels, three pixels apart.
    assert last.shape == (90, 19, 3)
    np.testing.assert_array_equal(first[22:30], last[22:30])
    np.testing.assert_array_equal(first[52:60], last[52:60])
    assert not np.array_equal(first[82:90], second[82:90])
    network = model().eval()
    network.load_state_dict(plain)
    batch = Blur().batch(None, np.random.default_rng([70707, *b"blur"]), 1.0)
    np.testing.assert_array_equal(last[22:30, :8, 0], (batch.x[0, 0] * 255 + 0.5).byte().numpy())
    with torch.no_grad():
        answer = network(batch.x)[1, 0].clamp(0, 1)
    np.testing.assert_allclose(last[82:90, 11:19, 0].astype(int), (answer * 255 + 0.5).byte().numpy(), atol=1)


def test_spectral_norms_vectors_are_not_averaged(tmp_path):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.utils.spectral_norm(torch.nn.Conv2d(1, 4, 3, padding=1)), model()[3])
    average = trainer(tmp_path, network=network).run()
    assert average["0.weight_u"].norm() == pytest.approx(1, abs=1e-5)


def test_what_goes_wrong_while_examples_are_made_is_raised(tmp_path):
    class Broken(Blur):
        def batch(self, examples, rng, progress):
            if progress > 0.3:
                raise ValueError("fgr/a.png cannot be read")
            return super().batch(examples, rng, progress)

    with pytest.raises(ValueError, match=r"fgr/a\.png"):
        trainer(tmp_path, Broken()).run()


def test_examples_come_in_order_and_the_thread_ends():
    steps = ahead(lambda step: step * step, 3, 1000)
    assert [next(steps) for _ in range(5)] == [9, 16, 25, 36, 49]
    steps.close()
    assert list(ahead(str, 2, 4)) == ["2", "3"]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes on the processor left behind (tests/tools/two_processes.py)."""
    folder = tmp_path_factory.mktemp("two")
    here = Path(two_processes.__file__).parent
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{here.parents[1]}:{here}"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, str(here / "two_processes.py"), str(folder)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.timeout(900)
def test_two_processes_train_as_one_with_twice_the_batches(two, tmp_path):
    """Gradients are averaged: the weights are those of one process that accumulates both batches."""
    Dealt, plain_model = two_processes.Dealt, two_processes.plain_model

    alone = trainer(tmp_path, Dealt(1, 0), plain_model(), accumulate=2).run()
    ranks = [torch.load(two / f"dealt_{rank}.pt", weights_only=True) for rank in range(2)]
    assert same(*ranks)
    for key, value in alone.items():
        torch.testing.assert_close(ranks[0][key], value, rtol=0, atol=1e-5)


def test_two_processes_end_with_the_same_weights_and_one_log(two):
    """Batch-norm statistics, a discriminator and a deadline included."""
    ranks = [torch.load(two / f"judged_{rank}.pt", weights_only=True) for rank in range(2)]
    assert same(*(rank["model"] for rank in ranks))
    assert same(*(rank["judge"] for rank in ranks))
    assert [rank["step"] for rank in ranks] == [3, 3]
    steps = [json.loads(line)["step"] for line in (two / "judged/judged.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3]
    assert len(list((two / "judged/pictures").glob("*.png"))) == 1


def test_the_command_trains_with_two_processes(two):
    from models import weights

    assert (two / "command/small.pt").exists()
    assert weights.build(weights.resolve(two / "command/segment_rigs.safetensors", "Segment")) is not None
