"""A plug-in of the binary: load, describe, instances, unload."""

from __future__ import annotations

from typing import Any

from ofx_host.abi import OK, REPLY_DEFAULT, STATUS, OfxPlugin, text
from ofx_host.check import check_description
from ofx_host.effect import Descriptor, Effect
from ofx_host.node import Node
from ofx_host.properties import PropertySet
from ofx_host.standard import Definition


class Refused(Exception):
    """An action failed; `status` is the name of the status code."""

    def __init__(self, action: str, status: int) -> None:
        super().__init__(f"{action} returned {STATUS.get(status, status)}")
        self.status = STATUS.get(status, str(status))


class Plugin:
    def __init__(self, host: Any, struct: OfxPlugin) -> None:
        self.host, self._struct = host, struct
        self.id = text(struct.pluginIdentifier) or ""
        self.version = (struct.pluginVersionMajor, struct.pluginVersionMinor)
        assert (text(struct.pluginApi), struct.apiVersion) == ("OfxImageEffectPluginAPI", 1)
        self.loaded = False
        self.description: Descriptor | None = None
        self.in_context: dict[str, Descriptor] = {}
        self.nodes: list[Node] = []

    def act(
        self, name: str, target: Any = None, given: PropertySet | None = None, answer: PropertySet | None = None
    ) -> int:
        """Calls the main entry and checks that everything fetched was given back."""
        host = self.host
        handle = None if target is None else target.handle
        with host.journal.action(name, target if isinstance(target, Effect) else None) as images:
            status = int(
                self._struct.mainEntry(name.encode(), handle, given and given.handle, answer and answer.handle)
            )
            for image in images:
                if not image.released:
                    host.journal.wrong(f"the image of {image.clip.name} at {image.time:g} was not released")
                    image.release()
            if status not in STATUS:
                host.journal.wrong(f"{name} returned the unknown status {status}")
        return status

    def must(self, name: str, *arguments: Any) -> int:
        """As `act`; raises Refused unless the plug-in did it or left it to the host."""
        status = self.act(name, *arguments)
        if status not in (OK, REPLY_DEFAULT):
            raise Refused(name, status)
        return status

    def arguments(self, kind: str, **values: Any) -> PropertySet:
        """In- or out-arguments; names are properties, values say type and number."""
        definitions, flat = {}, {}
        for name, value in values.items():
            many = isinstance(value, list | tuple)
            first = value[0] if many and value else (value if not many else "")
            form = {int: "i", float: "d", str: "s"}[type(first)]
            count = len(value) if many and not kind.startswith("list") else (0 if many else 1)
            definitions[name] = Definition(name, form, count, "answer" in kind, ())
            flat[name] = value
        made = PropertySet(self.host, kind, definitions)
        for name, value in flat.items():
            made.put(name, value)
        return made

    def describe(self) -> Descriptor:
        """Load and Describe, once."""
        if self.description is None:
            self.must("OfxActionLoad")
            self.loaded = True
            self.description = Descriptor(self.host, str(self.host.bundle))
            self.must("OfxActionDescribe", self.description)
        return self.description

    def describe_in(self, context: str) -> Descriptor:
        """The description in a context, made once and checked."""
        if context not in self.in_context:
            base = self.describe()
            made = Descriptor(self.host, str(self.host.bundle))
            made.properties.values = {name: list(values) for name, values in base.properties.values.items()}
            given = self.arguments("arguments", OfxImageEffectPropContext=context)
            self.must("OfxImageEffectActionDescribeInContext", made, given)
            given.let_go()
            check_description(made, self.host.journal)
            self.in_context[context] = made
        return self.in_context[context]

    def create(self, context: str = "") -> Node:
        """A node of its own, as the user drops it into the graph."""
        context = context or self.host.profile.context
        node = Node(self, Effect(self.host, self.describe_in(context), context))
        self.nodes.append(node)
        self.must("OfxActionCreateInstance", node.effect)
        return node

    def unload(self) -> None:
        for node in list(self.nodes):
            node.destroy()
        for descriptor in (*self.in_context.values(), *([self.description] if self.description else [])):
            descriptor.let_go()
        self.in_context.clear()
        self.description = None
        if self.loaded:
            self.loaded = False
            self.must("OfxActionUnload")
