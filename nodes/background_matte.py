"""BackgroundMatte: the matte of what the clean plate does not show (BackgroundMattingV2, arXiv:2012.07810)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.bgmv2 import MattingRefine, RefineOutput
from models.wording import footage
from nodes.aligning.align import Registration, estimate_registration, warp_plate
from nodes.engine import Device, Inputs, Params, Passes
from nodes.errors import ParameterError
from nodes.footage.frame import Frame
from nodes.ladder import descend
from nodes.matting import matte
from nodes.matting.close_holes import close_holes
from nodes.matting.soft_edges import solve_soft_edges
from nodes.network import choose_weights, run_guarded
from nodes.picture import (
    Proxy,
    colour_pixels,
    laid_on,
    make_proxy,
    mask_pixels,
    place,
    premultiply,
    rebuild_foreground,
    to_pixels,
)

# Longer side the network sees when the resolution is automatic; the bundled weights are trained around it.
AUTOMATIC_SIDE = 960
# The encoder halves the picture four times; smaller ones are continued to this size.
SMALLEST_SIDE = 64
# Display-encoded values closer than this look the same.
ALIKE = 0.5 / 255
REFINE_MODES = {"amount": "sampling", "threshold": "thresholding", "everywhere": "full"}


@dataclass(frozen=True)
class Quality:
    """One step of the memory ladder: scale of the coarse stage, and rows refined at a time."""

    scale: float
    strip_rows: int | None = None
    half: bool = False


class BackgroundMatte:
    """Engine of the node; see `background_matte.yaml` for inputs, parameters and passes."""

    def needs(self, frame: int, params: Params, inputs: Inputs) -> Sequence[tuple[str, int]]:
        doubt = [("PlateM", frame)] if inputs.connected("PlateM") else []
        return [("Source", frame), ("C", frame), *doubt, *matte.garbage_inputs(inputs, frame)]

    def render(self, frame: int, params: Params, inputs: Inputs, device: Device) -> Passes:
        if not inputs.connected("C"):
            raise ParameterError(f"there is no clean plate: {footage('C', 'plate', 'plateFile')}")
        source = inputs.frame("Source", frame)
        plate_frame = laid_on("clean plate", inputs.frame("C", frame), source)
        proxy = make_proxy(source, params["exposure"], device.torch_device)
        plate, registration = self._lay_plate(source, plate_frame, proxy, frame, params, inputs, device)
        inputs.check_cancelled()

        answer, quality, notes = self._matte(proxy, plate, params, device)
        alpha, colour = solve_soft_edges(answer.pha, answer.fgr, proxy.shown, plate.shown, params["softEdges"])
        alpha = close_holes(alpha, proxy.shown, plate.shown, params["closeHoles"])
        if inputs.connected("PlateM"):
            alpha = matte.without_faint(alpha, self._certain(source, frame, inputs, device))
        alpha = matte.set_levels(alpha, params["alphaBlack"], params["alphaWhite"])
        alpha = matte.remove_islands(alpha, params["removeIslands"])
        alpha = matte.apply_masks(alpha, inputs, frame, source, notes)
        foreground = rebuild_foreground(proxy, colour, alpha, plate)
        height, width = alpha.shape[-2:]
        if _alike(proxy.shown, plate.shown):
            notes.append(
                f"frame {frame}: the clean plate shows the same as the source, so nothing stands out from it; give a "
                "plate without the subject"
            )
        if proxy.broken:
            notes.append(f"{proxy.broken} pixels of the source are NaN or infinite; the network saw them as black")
        info: dict[str, str | int | float] = {"resolution": round(quality.scale, 4)}
        if registration is not None:
            info["plateShift"] = round(plate_shift(registration), 3)
            if not registration.reliable:
                notes.append(f"the plate was left where it is: {registration.reason}")
        return Passes(
            images={
                "premultiplied": to_pixels(premultiply(foreground, alpha, source.colour)),
                "alpha": to_pixels(alpha),
                "foreground": to_pixels(foreground),
                "refinement": to_pixels(F.interpolate(answer.ref_sm, scale_factor=4)[..., :height, :width]),
                "error": to_pixels(answer.err_sm),
            },
            window=source.data_window,
            info=info,
            notes=notes,
        )

    def _lay_plate(
        self, source: Frame, plate: Frame, proxy: Proxy, frame: int, params: Params, inputs: Inputs, device: Device
    ) -> tuple[Proxy, Registration | None]:
        """The plate on the source's pixels, registered if wanted."""
        moved = Frame(
            place(colour_pixels(plate), plate.data_window, source.data_window, edge=True),
            ("R", "G", "B"),
            source.data_window,
            source.display_window,
            colour=plate.colour,
        )
        laid = make_proxy(moved, params["exposure"], device.torch_device)
        if not params["alignPlate"]:
            return laid, None
        core = None
        if inputs.connected("InM"):
            core_frame = laid_on("core matte", inputs.frame("InM", frame), source)
            core = mask_pixels(core_frame, source.data_window)[..., 0]
        registration = estimate_registration(to_pixels(proxy.shown), to_pixels(laid.shown), exclude=core)
        if registration.is_identity:
            return laid, registration
        light, _ = warp_plate(to_pixels(laid.light), registration, source.pixels.shape[:2])
        registered = Frame(light, ("R", "G", "B"), source.data_window, source.display_window)
        return make_proxy(registered, params["exposure"], device.torch_device), registration

    def _certain(self, source: Frame, frame: int, inputs: Inputs, device: Device) -> Tensor:
        """How far the plate is to be believed `[1,1,H,W]`."""
        mask = laid_on("plate confidence", inputs.frame("PlateM", frame), source)
        return torch.tensor(mask_pixels(mask, source.data_window)[..., 0], device=device.torch_device)[None, None]

    def _matte(
        self, proxy: Proxy, plate: Proxy, params: Params, device: Device
    ) -> tuple[RefineOutput, Quality, list[str]]:
        height, width = proxy.shown.shape[-2:]
        asked, weights = choose_weights(params, device, "bgmv2", "backbone")
        scale = params["resolution"] or min(0.5, AUTOMATIC_SIDE / max(height, width))

        def attempt(quality: Quality) -> tuple[RefineOutput, Quality, list[str]]:
            def run(dtype: torch.dtype) -> RefineOutput:
                model = cast(MattingRefine, device.model(asked, "bgmv2", weights.options, dtype))
                model.backbone_scale = quality.scale
                model.refine_mode = REFINE_MODES[params["refineMode"]]
                model.refine_sample_pixels = round(params["refineAmount"] / 100 * height * width)
                model.refine_threshold = params["refineThreshold"]
                model.strip_rows = quality.strip_rows
                source, background = (_padded(picture.shown).to(dtype) for picture in (proxy, plate))
                answer = model(source, background)
                error = F.interpolate(answer.err_sm, source.shape[-2:], mode="bilinear", align_corners=False)
                full = [image[..., :height, :width].float() for image in (answer.pha, answer.fgr, error)]
                return RefineOutput(full[0], full[1], answer.pha_sm, answer.fgr_sm, full[2], answer.ref_sm.float())

            dtype = torch.float16 if quality.half else device.dtype
            answer, notes = run_guarded(run, lambda answer: answer[:2], dtype)
            return answer, quality, notes

        steps = [("the whole picture", Quality(scale)), ("strips of 256 rows", Quality(scale, 256))]
        if device.torch_device.type == "cuda":
            steps.append(("strips in half precision", Quality(scale, 256, half=True)))
        smaller = [factor * scale for factor in (0.7, 0.5)]
        steps += [(f"strips at resolution {s:.3g}", Quality(s, 256)) for s in smaller]
        (answer, quality, guard_notes), ladder_notes = descend(steps, attempt, device)
        return answer, quality, [*ladder_notes, *guard_notes]


def _alike(source: Tensor, plate: Tensor) -> bool:
    """Whether two pictures are the same to the eye everywhere; mostly a few rows tell."""
    rows = slice(None, None, max(1, source.shape[-2] // 16))
    return all(
        bool((one - other).abs().amax() < ALIKE)
        for one, other in ((source[..., rows, :], plate[..., rows, :]), (source, plate))
    )


def plate_shift(registration: Registration) -> float:
    """How far the plate's corners were moved at most, in pixels."""
    height, width = registration.source_size
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]], np.float64).T
    moved = registration.homography @ corners
    return float(np.abs(moved[:2] / moved[2] - corners[:2]).max())


def _padded(image: Tensor) -> Tensor:
    """The picture continued to the right and below by its border, to a multiple of 4 that survives the encoder."""
    height, width = (max(SMALLEST_SIDE, side + -side % 4) for side in image.shape[-2:])
    padding = (0, width - image.shape[-1], 0, height - image.shape[-2])
    return F.pad(image, padding, mode="replicate") if any(padding) else image


def engine() -> Any:
    """The node's engine, for the catalogue."""
    return BackgroundMatte()
