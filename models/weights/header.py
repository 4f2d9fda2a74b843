"""What a weights file's own header says about its network, checked before anybody counts on it. Free of torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import models
from models.weights import registry
from models.weights.errors import WeightsError

_LARGEST = 10_000
_LONGEST = 80
_MOST = 100


def options_in(metadata: Mapping[str, str], label: str) -> dict[str, Any] | None:
    """The options in a header, None where it has none that can be read.

    Raises WeightsError for options of a network of the house that are of another kind than the network takes.
    """
    try:
        options = json.loads(metadata.get("options", "null"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(options, dict):
        return None
    if metadata.get("network", "") in models.NETWORKS:
        check_options(metadata["network"], options, label)
    return options


def check_options(network: str, options: Mapping[str, Any], label: str) -> None:
    """Options come from a file's header as well; they must be plain, small and known before anything is built.

    Raises WeightsError, in one sentence that starts with `label`, for options that `models.create` cannot take.
    """
    if network not in models.NETWORKS:
        raise WeightsError(
            f"{label} is for the network '{_shown(network)}', which this version of Cleanplate does not have"
        )
    if len(options) > _MOST:
        raise WeightsError(f"{label} asks for impossible options of the network '{network}': {len(options)} of them")
    for name, value in options.items():
        wanted = _wanted(name, value)
        if wanted:
            raise WeightsError(
                f"{label} asks for impossible options of the network '{network}': "
                f"'{_shown(name)}' must be {wanted}, not {_shown(value)}"
            )


def _wanted(name: str, value: Any) -> str:
    """What an option has to be, or nothing where it is that."""
    kinds = registry.option_kinds()
    if name in kinds["words"]:
        return "" if isinstance(value, str) and len(value) < _LONGEST and value.isprintable() else "a word"
    if name in kinds["truths"]:
        return "" if isinstance(value, bool) else "true or false"
    if name in kinds["whole"]:
        least, most = kinds["whole"][name]
        fits = type(value) is int and least <= value <= most
        return "" if fits else f"a whole number from {least} to {most}"
    if name in kinds["numbers"]:
        least, most = kinds["numbers"][name]
        return "" if _number(value, least, most) else f"a number from {least:g} to {most:g}"
    if name in kinds["lists"]:
        least, most, count = kinds["lists"][name]
        fits = isinstance(value, list | tuple) and 0 < len(value) <= count
        fits = fits and all(_number(one, least, most) for one in value)
        return "" if fits else f"a list of one to {count} numbers from {least:g} to {most:g}"
    # Nobody knows it; whoever builds the network says so.
    plain = value is None or (isinstance(value, str) and len(value) < _LONGEST) or _number(value, -_LARGEST, _LARGEST)
    return "" if plain else f"a word or a number up to {_LARGEST}"


def _number(value: Any, least: float, most: float) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and least <= value <= most


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple | dict):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)}"
    return "".join(c if c.isprintable() else " " for c in str(value)[:_LONGEST])
