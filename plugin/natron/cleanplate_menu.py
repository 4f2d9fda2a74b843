"""What the entries of Natron's Cleanplate menu do. Runs in Natron's own Python, with its window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import NatronEngine  # type: ignore[import-not-found]

PREFIX = "org.cleanplate."
BY_HAND = ("SettingsOpened", "AutoConnect", "AddUndoRedoCommand")
GROUPS = {
    "Clean-plate Key": "groups.CleanPlateKey",
    "Key Without a Plate": "groups.KeyWithoutPlate",
    "Learn": "groups.Learn",
    "Remove Markers and Wires": "groups.RemoveMarkers",
    "Rig Removal": "groups.RigRemoval",
}


def label_of(plugin: str) -> str:
    """The words of a node's id: org.cleanplate.VideoMatte is Video Matte."""
    name = plugin[len(PREFIX) :]
    return "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(name))


def entries(plugins: list[str]) -> list[tuple[str, str]]:
    """Menu paths and the ids of what they create: the nodes that Natron has, then the groups."""
    nodes = sorted(plugin for plugin in plugins if plugin.startswith(PREFIX) and ".groups." not in plugin)
    return [
        *((f"Cleanplate/{label_of(plugin)}", plugin) for plugin in nodes),
        *((f"Cleanplate/Groups/{label}", PREFIX + name) for label, name in GROUPS.items()),
    ]


def creator(natron: Any, plugin: str) -> Callable[[], Any]:
    """A function that puts a node into the graph of the window that is active."""

    def create() -> Any:
        made = natron.getActiveInstance().createNode(plugin, -1, None, as_by_hand())
        if made is None:
            natron.errorDialog("Cleanplate", f"Natron has no node {plugin}. Run cleanplate doctor: it says why.")
        return made

    return create


def as_by_hand() -> dict[str, Any]:
    """What makes a node like one from Natron's own menus; scripts get theirs unconnected and with the panel closed."""
    return {f"CreateNodeArgsProp{name}": NatronEngine.BoolNodeCreationProperty(True) for name in BY_HAND}


def fill_menu(natron: Any, names: dict[str, Any]) -> None:
    """Adds the menu. Natron calls functions by name, so they are put into `names`, its main module's."""
    for number, (path, plugin) in enumerate(entries(list(natron.getPluginIDs()))):
        function = f"cleanplate_menu_{number}"
        names[function] = creator(natron, plugin)
        natron.addMenuCommand(path, function)
