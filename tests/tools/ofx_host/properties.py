"""Property sets that know what they may hold, and the property suite."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ofx_host.abi import BAD_HANDLE, BAD_INDEX, OK, UNKNOWN, VALUE, Double, Int, Pointer, Suite, Text, function, text
from ofx_host.standard import ALLOWED, EVERY_NAME, Definition

C_TYPES = {"i": Int, "d": Double, "s": Text, "p": Pointer}
WORDS = {"i": "int", "d": "double", "s": "string", "p": "pointer"}


class PropertySet:
    """The properties of one object; `kind` names it in reports. Strings handed out live as long as the set."""

    def __init__(self, host: Any, kind: str, definitions: Mapping[str, Definition], **values: Any) -> None:
        self.host, self.kind = host, kind
        self.definitions = dict(definitions)
        self.values: dict[str, list[Any]] = {name: list(d.default) for name, d in definitions.items()}
        self.touched: set[str] = set()
        self.frozen = False
        self._texts: dict[str, ctypes.c_char_p] = {}
        for name, value in values.items():
            self.put(name, value)
        self.handle: int = host.handles.new(self)

    def put(self, name: str, value: Any) -> None:
        """Sets a property from the host's side."""
        many = isinstance(value, Sequence) and not isinstance(value, str)
        self.values[name] = list(value) if many else [value]

    def define(self, definition: Definition) -> None:
        self.definitions[definition.name] = definition
        self.values[definition.name] = list(definition.default)

    def __getitem__(self, name: str) -> Any:
        """The value, or the list of values where the standard allows several."""
        values = self.values[name]
        return values[0] if self.definitions[name].count == 1 else values

    def reset(self, name: str) -> None:
        self.values[name] = list(self.definitions[name].default)

    def let_go(self) -> None:
        self.host.handles.drop(self.handle)

    def look_up(self, name: str, kind: str, where: str) -> Definition | None:
        """The definition of a property; None, after writing it down where the plug-in is to blame."""
        definition = self.definitions.get(name)
        if definition is None:
            if name not in EVERY_NAME:
                self.host.journal.wrong(f"{where}: no standard knows the property {name} ({self.kind})")
            elif name not in self.host.tolerated:
                self.host.journal.wrong(f"{where}: a {self.kind} has no property {name}")
            return None
        if kind and definition.type != kind:
            self.host.journal.wrong(f"{where}: {name} is a {WORDS[definition.type]}, not a {WORDS[kind]}")
            return None
        return definition

    def write(self, name: str, kind: str, index: int, value: Any, where: str) -> int:
        definition = self.look_up(name, kind, where)
        if definition is None:
            return UNKNOWN
        if not definition.writable or self.frozen:
            self.host.journal.wrong(f"{where}: {name} of a {self.kind} may not be written here")
            return VALUE
        values = self.values[name]
        if index < 0 or (definition.count and index >= definition.count) or index > len(values):
            self.host.journal.wrong(f"{where}: {name} of a {self.kind} has no index {index}")
            return BAD_INDEX
        if kind == "s" and value is None:
            self.host.journal.wrong(f"{where}: {name} is set to NULL")
            return VALUE
        if kind == "d" and not math.isfinite(value):
            self.host.journal.wrong(f"{where}: {name} is set to {value}")
            return VALUE
        if name in ALLOWED and value not in ALLOWED[name]:
            self.host.journal.wrong(f"{where}: {name} cannot be {value}")
            return VALUE
        values[index : index + 1] = [value]
        self.touched.add(name)
        return OK

    def read(self, name: str, kind: str, index: int, where: str) -> tuple[int, Any]:
        definition = self.look_up(name, kind, where)
        if definition is None:
            return UNKNOWN, None
        values = self.values[name]
        if not 0 <= index < len(values):
            self.host.journal.wrong(
                f"{where}: {name} of a {self.kind} has no index {index}, it has {len(values)} values"
            )
            return BAD_INDEX, None
        return OK, values[index]

    def c_value(self, kind: str, value: Any) -> Any:
        if kind != "s":
            return C_TYPES[kind](value)
        return self._texts.setdefault(value, ctypes.c_char_p(value.encode("utf-8", "surrogateescape")))


class PropertySuite(Suite):
    def _set(self, handle: int, name: bytes, index: int, value: Any, kind: str, where: str) -> int:
        properties = self.host.handles.get(handle, PropertySet, where)
        if properties is None:
            return BAD_HANDLE
        return int(properties.write(text(name), kind, index, value, where))

    def _set_many(self, handle: int, name: bytes, count: int, values: int, kind: str, where: str) -> int:
        properties = self.host.handles.get(handle, PropertySet, where)
        if properties is None:
            return BAD_HANDLE
        definition = properties.look_up(text(name), kind, where)
        if definition is None:
            return UNKNOWN
        if definition.count and count != definition.count:
            self.host.journal.wrong(f"{where}: {text(name)} takes {definition.count} values, not {count}")
            return VALUE
        if not definition.count:
            del properties.values[definition.name][count:]
        array = (C_TYPES[kind] * count).from_address(values)
        for index, value in enumerate(array):
            status = properties.write(definition.name, kind, index, text(value) if kind == "s" else value, where)
            if status != OK:
                return int(status)
        return OK

    def _get(self, handle: int, name: bytes, first: int, count: int, where_to: int, kind: str, where: str) -> int:
        properties = self.host.handles.get(handle, PropertySet, where)
        if properties is None:
            return BAD_HANDLE
        array = (C_TYPES[kind] * count).from_address(where_to)
        for offset in range(count):
            status, value = properties.read(text(name), kind, first + offset, where)
            if status != OK:
                return int(status)
            array[offset] = properties.c_value(kind, value)
        return OK

    @function(Pointer, Text, Int, Pointer)
    def propSetPointer(self, handle, name, index, value):
        return self._set(handle, name, index, value or 0, "p", "propSetPointer")

    @function(Pointer, Text, Int, Text)
    def propSetString(self, handle, name, index, value):
        return self._set(handle, name, index, text(value), "s", "propSetString")

    @function(Pointer, Text, Int, Double)
    def propSetDouble(self, handle, name, index, value):
        return self._set(handle, name, index, value, "d", "propSetDouble")

    @function(Pointer, Text, Int, Int)
    def propSetInt(self, handle, name, index, value):
        return self._set(handle, name, index, value, "i", "propSetInt")

    @function(Pointer, Text, Int, Pointer)
    def propSetPointerN(self, handle, name, count, values):
        return self._set_many(handle, name, count, values, "p", "propSetPointerN")

    @function(Pointer, Text, Int, Pointer)
    def propSetStringN(self, handle, name, count, values):
        return self._set_many(handle, name, count, values, "s", "propSetStringN")

    @function(Pointer, Text, Int, Pointer)
    def propSetDoubleN(self, handle, name, count, values):
        return self._set_many(handle, name, count, values, "d", "propSetDoubleN")

    @function(Pointer, Text, Int, Pointer)
    def propSetIntN(self, handle, name, count, values):
        return self._set_many(handle, name, count, values, "i", "propSetIntN")

    @function(Pointer, Text, Int, Pointer)
    def propGetPointer(self, handle, name, index, where_to):
        return self._get(handle, name, index, 1, where_to, "p", "propGetPointer")

    @function(Pointer, Text, Int, Pointer)
    def propGetString(self, handle, name, index, where_to):
        return self._get(handle, name, index, 1, where_to, "s", "propGetString")

    @function(Pointer, Text, Int, Pointer)
    def propGetDouble(self, handle, name, index, where_to):
        return self._get(handle, name, index, 1, where_to, "d", "propGetDouble")

    @function(Pointer, Text, Int, Pointer)
    def propGetInt(self, handle, name, index, where_to):
        return self._get(handle, name, index, 1, where_to, "i", "propGetInt")

    @function(Pointer, Text, Int, Pointer)
    def propGetPointerN(self, handle, name, count, where_to):
        return self._get(handle, name, 0, count, where_to, "p", "propGetPointerN")

    @function(Pointer, Text, Int, Pointer)
    def propGetStringN(self, handle, name, count, where_to):
        return self._get(handle, name, 0, count, where_to, "s", "propGetStringN")

    @function(Pointer, Text, Int, Pointer)
    def propGetDoubleN(self, handle, name, count, where_to):
        return self._get(handle, name, 0, count, where_to, "d", "propGetDoubleN")

    @function(Pointer, Text, Int, Pointer)
    def propGetIntN(self, handle, name, count, where_to):
        return self._get(handle, name, 0, count, where_to, "i", "propGetIntN")

    @function(Pointer, Text)
    def propReset(self, handle, name):
        properties = self.host.handles.get(handle, PropertySet, "propReset")
        if properties is None:
            return BAD_HANDLE
        if properties.look_up(text(name), "", "propReset") is None:
            return UNKNOWN
        properties.reset(text(name))
        return OK

    @function(Pointer, Text, Pointer)
    def propGetDimension(self, handle, name, where_to):
        properties = self.host.handles.get(handle, PropertySet, "propGetDimension")
        if properties is None:
            return BAD_HANDLE
        if properties.look_up(text(name), "", "propGetDimension") is None:
            return UNKNOWN
        Int.from_address(where_to).value = len(properties.values[text(name)])
        return OK
