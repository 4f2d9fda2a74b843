"""`cleanplate train NETWORK`: draws the pool of pictures, runs the stages, exports weights."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from models.training.loop.trainer import Stage
    from models.training.recipes.catalogue import Recipe

log = logging.getLogger(__name__)
POOL = {"sprites": 720, "scenes": 300}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command; what they mean is in their help."""
    parser.add_argument("network", choices=("bgmv2", "rvm", "inpaint", "lama", "pennet", "structureflow", "segment"))
    parser.add_argument(
        "--out", required=True, metavar="FOLDER", help="checkpoints, logs and the weights; continued if it exists"
    )
    parser.add_argument(
        "--data",
        default="procedural",
        metavar="procedural|FOLDER",
        help="own pictures: fgr/, pha/, bgr/ (bgmv2), the same with a folder per clip and images/, masks/ (rvm), "
        "or bgr/ (inpaint, lama, pennet, structureflow)",
    )
    parser.add_argument("--pool", metavar="FOLDER", help="where procedural pictures are kept, default: OUT/pool")
    parser.add_argument("--sprites", type=int, default=POOL["sprites"], help="foregrounds to draw")
    parser.add_argument("--scenes", type=int, default=POOL["scenes"], help="backgrounds to draw")
    parser.add_argument("--backbone", default="mobilenetv2", choices=("mobilenetv2", "resnet50", "resnet101"))
    parser.add_argument(
        "--stage", default="all", help="one of the recipe's stages, default: all of them, one after the other"
    )
    parser.add_argument("--start", metavar="FILE", help="weights to start from, instead of the stage before")
    parser.add_argument("--steps", type=int, default=0, help="of the stage, default: its own")
    parser.add_argument("--until", type=int, help="stop at this step; a later run goes on from there")
    parser.add_argument(
        "--minutes", type=float, help="stop after this time, checkpoint written; the same command goes on from there"
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=500,
        metavar="STEPS",
        help="steps from one PNG in OUT/pictures to the next; 0: none",
    )
    parser.add_argument(
        "--features",
        metavar="FILE",
        help="a network that perceptual losses look through: ResNet-50 (lama), VGG-19 "
        "(structureflow); without it these terms are left out",
    )
    parser.add_argument("--accumulate", type=int, default=1, help="batches per step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N; under torchrun cuda means each its own")
    parser.add_argument("--full-precision", action="store_true", help="no bfloat16")


def run(options: argparse.Namespace) -> int:
    """Trains; 0 when the weights are written. Wrong data end in a sentence."""
    began = time.monotonic()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        _train(options, began)
    except (ValueError, FileNotFoundError) as error:
        print(f"cleanplate: {error}", file=sys.stderr)
        return 1
    return 0


def _train(options: argparse.Namespace, began: float) -> None:
    from models.training.loop import processes
    from models.training.recipes import catalogue as recipes

    recipe = recipes.find(options.network, options.backbone)
    stages = recipe.stages_named(options.stage)
    if options.until and len(stages) > 1:
        raise ValueError("--until stops one stage: name it with --stage")
    if options.start and recipe.parts:
        raise ValueError(f"{options.network} trains several networks: --start, one file, does not fit")
    _look_through(options, recipe, stages)
    with processes.together(options.device) as device:
        group = processes.current()
        logging.getLogger("models.training").setLevel(logging.INFO if group.first else logging.WARNING)
        examples, held = _examples(options, recipe)
        state, unfinished = _run(options, recipe, stages, (examples, held), device, began)
        if group.first:
            _export(Path(options.out), recipe, state)
            if unfinished:
                print(f"{unfinished}; the same command{' without --until' if options.until else ''} goes on")


def _look_through(options: argparse.Namespace, recipe: Recipe, stages: list[Stage]) -> None:
    """Gives the stages that ask for it the network of --features."""
    asking = [stage for stage in stages if hasattr(stage, "features")]
    if options.features and not (asking and recipe.features):
        raise ValueError(f"no stage to be run of {options.network} has a perceptual loss: leave --features out")
    for stage in asking:
        if options.features and recipe.features:
            stage.features = recipe.features(Path(options.features))
        else:
            log.info("%s: without --features, so without the losses that look through it", stage.name)


def _run(
    options: argparse.Namespace,
    recipe: Recipe,
    stages: list[Stage],
    examples: tuple[Any, Any],
    device: str,
    began: float,
) -> tuple[dict[str, Tensor], str]:
    """The averaged weights after the last stage that ran, and what stopped it early, if anything did."""
    import torch

    from models import weights
    from models.training.loop.trainer import Settings, Trainer

    settings = Settings(
        Path(options.out),
        options.seed,
        options.steps,
        device,
        not options.full_precision,
        options.accumulate,
        show_every=options.pictures,
        deadline=began + 60 * options.minutes if options.minutes else None,
    )
    torch.manual_seed(options.seed)
    model = recipe.new_model()
    before = recipe.stage_before(stages[0].name)
    continued = (settings.folder / f"{stages[0].name}.pt").exists()
    left = {} if continued else _left_by(settings.folder, before)
    if options.start:
        model.load_state_dict(weights.fit(weights.load_state_dict(options.start), recipe.network, dict(recipe.options)))
    elif "average" in left:
        model.load_state_dict(left["average"])
        log.info("%s goes on from %s at step %d", stages[0].name, before, left["step"])
    elif before and not continued:
        log.info("%s starts with new weights: there is no stage %s in %s", stages[0].name, before, settings.folder)
    state, judges = model.state_dict(), {before: left.get("judge")}
    for stage in stages:
        model.load_state_dict(state)
        judge = judges.get(getattr(stage, "judge_from", ""))
        if judge:
            stage.judge.load_state_dict(judge)  # type: ignore[attr-defined]
        trainer = Trainer(stage, model, examples[0], settings, examples[1])
        state = trainer.run(options.until)
        if trainer.judge is not None:
            judges[stage.name] = trainer.judge.state_dict()
        if not trainer.finished:
            return state, f"stopped at step {trainer.step} of {trainer.steps} of the stage {stage.name}"
    return state, ""


def _left_by(folder: Path, stage: str) -> dict[str, Any]:
    """The checkpoint of a stage, empty if there is none."""
    import torch

    path = folder / f"{stage}.pt"
    if not stage or not path.exists():
        return {}
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _export(out: Path, recipe: Recipe, state: dict[str, Tensor]) -> None:
    from models import weights

    for part, own in recipe.weights(state):
        path = out / f"{part.file}.safetensors"
        weights.save(
            path, compact(own), part.network, dict(part.options), licence="Apache-2.0", source="cleanplate train"
        )
        print(f"weights: {path}")


def _examples(options: argparse.Namespace, recipe: Recipe) -> tuple[Any, Any]:
    """What to train on, and what the pictures in the log show."""
    from models.training.data import pool
    from models.training.loop import processes

    if options.data != "procedural":
        if recipe.own is None:
            raise ValueError(f"{options.network} trains on procedural pictures only: leave --data out")
        return recipe.own(Path(options.data)), None
    drawn = Path(options.pool) if options.pool else Path(options.out) / "pool"
    group = processes.current()
    if group.first:
        pool.build(drawn, options.sprites, options.scenes)
    group.wait()
    return recipe.drawn(drawn), recipe.held(drawn) if recipe.held else None


def compact(state):  # type: ignore[no-untyped-def]
    """The weights in half precision; batch-norm statistics, which are small and may not fit, stay in single."""
    import torch

    return {
        key: value if "running_" in key or not value.is_floating_point() else value.to(torch.float16)
        for key, value in state.items()
    }
