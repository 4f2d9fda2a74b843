"""`cleanplate train NETWORK`: draws the pool of pictures, runs the stages, exports weights."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.training.recipes import Recipe

POOL = {"sprites": 720, "scenes": 300}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command; what they mean is in their help."""
    parser.add_argument("network", choices=("bgmv2", "inpaint", "segment"))
    parser.add_argument(
        "--out", required=True, metavar="FOLDER", help="checkpoints, logs and the weights; continued if it exists"
    )
    parser.add_argument(
        "--data",
        default="procedural",
        metavar="procedural|FOLDER",
        help="own pictures: fgr/, pha/, bgr/ (bgmv2) or bgr/ (inpaint)",
    )
    parser.add_argument("--pool", metavar="FOLDER", help="where procedural pictures are kept, default: OUT/pool")
    parser.add_argument("--sprites", type=int, default=POOL["sprites"], help="foregrounds to draw")
    parser.add_argument("--scenes", type=int, default=POOL["scenes"], help="backgrounds to draw")
    parser.add_argument("--backbone", default="mobilenetv2", choices=("mobilenetv2", "resnet50", "resnet101"))
    parser.add_argument("--stage", default="all", help="one of the recipe's stages, default: all of them")
    parser.add_argument("--start", metavar="FILE", help="weights to start from, instead of the stage before")
    parser.add_argument("--steps", type=int, default=0, help="of the stage, default: its own")
    parser.add_argument("--until", type=int, help="stop at this step; a later run goes on from there")
    parser.add_argument("--accumulate", type=int, default=1, help="batches per step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--full-precision", action="store_true", help="no bfloat16")


def run(options: argparse.Namespace) -> int:
    """Trains; 0 when the weights are written. Wrong data end in a sentence."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        path = _train(options)
    except (ValueError, FileNotFoundError) as error:
        print(f"cleanplate: {error}", file=sys.stderr)
        return 1
    print(f"weights: {path}")
    return 0


def _train(options: argparse.Namespace) -> Path:
    import torch

    from models import weights
    from models.training import recipes
    from models.training.trainer import Settings, Trainer

    recipe = recipes.find(options.network, options.backbone)
    stages = recipe.stages_named(options.stage)
    if options.until and len(stages) > 1:
        raise ValueError("--until stops one stage: name it with --stage")
    out = Path(options.out)
    examples = _examples(options, recipe, out)
    settings = Settings(
        out, options.seed, options.steps, options.device, not options.full_precision, options.accumulate
    )
    torch.manual_seed(options.seed)
    model = recipe.new_model()
    if options.start:
        model.load_state_dict(weights.fit(weights.load_state_dict(options.start), recipe.network, dict(recipe.options)))
    state = model.state_dict()
    for stage in stages:
        model.load_state_dict(state)
        state = Trainer(stage, model, examples, settings).run(options.until)
    path = out / f"{recipe.file}.safetensors"
    weights.save(
        path, compact(state), recipe.network, dict(recipe.options), licence="Apache-2.0", source="cleanplate train"
    )
    return path


def _examples(options: argparse.Namespace, recipe: Recipe, out: Path) -> Any:
    from models.training import pool

    if options.data != "procedural":
        if recipe.own is None:
            raise ValueError(f"{options.network} trains on procedural pictures only: leave --data out")
        return recipe.own(Path(options.data))
    drawn = Path(options.pool) if options.pool else out / "pool"
    pool.build(drawn, options.sprites, options.scenes)
    return recipe.drawn(drawn)


def compact(state):  # type: ignore[no-untyped-def]
    """The weights in half precision; batch-norm statistics, which are small and may not fit, stay in single."""
    import torch

    return {
        key: value if "running_" in key or not value.is_floating_point() else value.to(torch.float16)
        for key, value in state.items()
    }
