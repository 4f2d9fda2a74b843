"""What Cleanplate's ready-made groups share. Runs in Natron's own Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PREFIX = "org.cleanplate."
MERGE = "net.sf.openfx.MergePlugin"
MAKERS = ("Boolean", "Int", "Double", "Choice", "String", "File")
RANGED = ("Int", "Double")
LIMITS = ("Minimum", "Maximum", "DisplayMinimum", "DisplayMaximum")


class Builder:
    """Fills a group with nodes; `x` and `y` place them in its graph."""

    def __init__(self, app: Any, group: Any) -> None:
        self.app, self.group = app, group
        self.page = group.createPageParam("cleanplate", "Cleanplate")

    def node(self, plugin: str, name: str, x: float, y: float, version: int = -1) -> Any:
        """A node inside the group. Raises RuntimeError where Natron has no such node."""
        made = self.app.createNode(plugin, version, self.group)
        if made is None:
            raise RuntimeError(_missing(plugin))
        made.setScriptName(name)
        made.setLabel(name)
        made.setPosition(x, y)
        return made

    def input(self, label: str, x: float, optional: bool = False, mask: bool = False) -> Any:
        """An input of the group."""
        made = self.node("fr.inria.built-in.Input", label.replace(" ", ""), x, 0, 1)
        made.setLabel(label)
        for name, value in (("optional", optional), ("isMask", mask)):
            if value:
                made.getParam(name).setValue(value)
        return made

    def output(self, source: Any, x: float, y: float) -> None:
        """The output of the group."""
        self.node("fr.inria.built-in.Output", "Output", x, y, 1).connectInput(0, source)

    def connect(self, node: Any, *sources: Any, **labelled: Any) -> None:
        """Connects the first inputs, in the order that `cleanplate nodes` prints, and others by Natron's labels."""
        labels = [node.getInputLabel(index) for index in range(node.getMaxInputCount())]
        for index, source in enumerate(sources):
            node.connectInput(index, source)
        for label, source in labelled.items():
            node.connectInput(labels.index(label), source)

    def show(self, node: Any, names: Sequence[str], hidden: bool = False) -> None:
        """Shows parameters of an inner node on the group itself; those the node does not have are passed over.

        Hidden ones are there, and saved with the group, but not seen.
        """
        for name in names:
            inner = node.getParam(name)
            maker = next((m for m in MAKERS if inner is not None and type(inner).__name__ == f"{m}Param"), None)
            if maker is None:
                continue
            label = inner.getLabel()
            outer = getattr(self.group, f"create{maker}Param")(f"{node.getScriptName()}{name}", label)
            if maker == "Choice":
                outer.setOptions([(option, "") for option in inner.getOptions()])
            outer.setHelp(inner.getHelp())
            if maker in RANGED:
                for limit in LIMITS:
                    getattr(outer, f"set{limit}")(getattr(inner, f"get{limit}")(0), 0)
            # Natron gives the inner parameter the outer one's value when they are linked, not the other way round.
            outer.setDefaultValue(inner.getDefaultValue())
            outer.set(inner.get())
            self.page.addParam(outer)
            outer.setAsAlias(inner)
            outer.setVisible(not hidden)

    def done(self) -> None:
        """Shows the parameters in the group's panel."""
        self.group.setPagesOrder(["cleanplate", "Node"])
        self.group.refreshUserParamsGUI()


def _missing(plugin: str) -> str:
    if plugin.startswith(PREFIX):
        return f"Natron has no node {plugin}: run cleanplate doctor, it says why"
    return f"this group needs the node {plugin}, which comes with Natron's own plug-ins (openfx-misc)"
