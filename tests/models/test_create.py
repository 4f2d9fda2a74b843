"""`models.create`: what it builds and what it says when it cannot."""

import subprocess
import sys

import pytest

import models


def test_networks_come_in_eval_mode() -> None:
    assert not models.create("bgmv2_base").training


def test_importing_models_is_cheap() -> None:
    code = "import models, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bgmv3", {}, r"There is no network named 'bgmv3'; the networks are .*bgmv2, bgmv2_base.*rvm.*\."),
        (
            "bgmv2",
            {"scale": 1},
            r"Network 'bgmv2' has no option 'scale'; its options are backbone, backbone_scale, .*\.",
        ),
        (
            "bgmv2",
            {"backbone": "vgg"},
            "There is no backbone 'vgg'; the backbones are mobilenetv2, resnet50, resnet101.",
        ),
        ("bgmv2", {"refine_mode": "all"}, "no refine_mode 'all'; the modes are sampling, thresholding, full."),
        ("bgmv2", {"refine_kernel_size": 5}, "refine_kernel_size is 1 or 3, not 5."),
        ("bgmv2", {"backbone_scale": 0.75}, "backbone_scale is above 0 and at most 0.5, not 0.75."),
        ("bgmv2", {"refine_sample_pixels": -1}, "refine_sample_pixels is at least 0, not -1."),
        ("rvm", {"variant": "vgg"}, "There is no variant 'vgg'; the variants are mobilenetv3, resnet50."),
        (
            "rvm",
            {"refiner": "no"},
            "There is no refiner 'no'; the refiners are deep_guided_filter, fast_guided_filter.",
        ),
    ],
)
def test_what_does_not_exist_is_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.create(name, **options)
