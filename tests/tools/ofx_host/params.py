"""Parameters: their description, their values over time, and the parameter suite."""

from __future__ import annotations

from typing import Any

from ofx_host import standard
from ofx_host.abi import (
    BAD_HANDLE,
    EXISTS,
    OK,
    UNKNOWN,
    VALUE,
    Double,
    Int,
    Pointer,
    Suite,
    Text,
    function,
    text,
    write_double,
    write_int,
    write_pointer,
)
from ofx_host.properties import PropertySet

SETTABLE_IN = (
    "OfxActionCreateInstance",
    "OfxActionBeginInstanceChanged",
    "OfxActionInstanceChanged",
    "OfxActionEndInstanceChanged",
    "OfxActionSyncPrivateData",
)


class Value:
    """What a parameter holds; render clones share it."""

    def __init__(self, default: Any) -> None:
        self.constant = default
        self.keys: dict[float, Any] = {}

    def at(self, time: float | None) -> Any:
        if not self.keys or time is None:
            return self.constant
        earlier = [t for t in self.keys if t <= time]
        return self.keys[max(earlier)] if earlier else self.keys[min(self.keys)]


class Param:
    """A parameter of a descriptor (no `value`) or of an instance."""

    def __init__(self, host: Any, name: str, kind: str) -> None:
        self.host, self.name, self.type = host, name, kind
        definitions = {**standard.PARAM, **standard.PARAM_TYPES[kind]}
        if kind not in standard.WITHOUT_VALUE:
            definitions |= standard.VALUE
        if host.profile.extensions:
            definitions |= standard.EXTENSIONS["parameter"]
            if kind == "OfxParamTypeChoice":
                definitions |= standard.EXTENSIONS["choice"]
        self.properties = PropertySet(host, f"parameter {name}", definitions)
        for prop, value in (("OfxPropName", name), ("OfxParamPropType", kind), ("OfxParamPropScriptName", name)):
            self.properties.put(prop, value)
        for prop in ("OfxPropLabel", "OfxPropShortLabel", "OfxPropLongLabel"):
            self.properties.put(prop, name)
        self.value: Value | None = None
        self.handle: int = host.handles.new(self)

    def instance(self, value: Value | None = None) -> Param:
        """The parameter of an instance made from this description; `value` is shared with another instance."""
        made = Param(self.host, self.name, self.type)
        made.properties.values = {name: list(values) for name, values in self.properties.values.items()}
        if "OfxParamPropDefault" in made.properties.values:
            made.value = value or Value(self.properties["OfxParamPropDefault"])
        return made

    def let_go(self) -> None:
        self.properties.let_go()
        self.host.handles.drop(self.handle)

    @property
    def options(self) -> list[str]:
        return list(self.properties.values.get("OfxParamPropChoiceOption", []))


class ParamSet:
    """The parameters of a descriptor or an instance, in the order of their definition."""

    def __init__(self, host: Any, effect: Any) -> None:
        self.host, self.effect = host, effect
        self.properties = PropertySet(host, "parameter set", standard.PARAM_SET)
        self.params: dict[str, Param] = {}
        self.handle: int = host.handles.new(self)

    def __getitem__(self, name: str) -> Param:
        return self.params[name]

    def instance(self, effect: Any, shared: ParamSet | None) -> ParamSet:
        made = ParamSet(self.host, effect)
        for name, param in self.params.items():
            made.params[name] = param.instance(shared.params[name].value if shared else None)
        return made

    def let_go(self) -> None:
        for param in self.params.values():
            param.let_go()
        self.properties.let_go()
        self.host.handles.drop(self.handle)


class ParameterSuite(Suite):
    """The variadic functions take their further arguments where the System V and the ARM64 Linux ABI put them."""

    def _param(self, handle: int, where: str) -> Param | None:
        return self.host.handles.get(handle, Param, where)

    def _valued(self, handle: int, where: str) -> Param | None:
        param = self._param(handle, where)
        if param is not None and param.value is None:
            self.host.journal.wrong(f"{where}: {param.name} has no value here")
            return None
        return param

    @function(Pointer, Text, Text, Pointer)
    def paramDefine(self, handle, kind, name, properties):
        params = self.host.handles.get(handle, ParamSet, "paramDefine")
        if params is None:
            return BAD_HANDLE
        kind, name = text(kind), text(name)
        if self.host.journal.current[0] != "OfxImageEffectActionDescribeInContext":
            self.host.journal.wrong(f"parameter {name} is defined outside DescribeInContext")
        if kind not in standard.PARAM_TYPES:
            self.host.journal.wrong(f"parameter {name} has the unknown type {kind}")
            return UNKNOWN
        if name in params.params:
            self.host.journal.wrong(f"parameter {name} is defined twice")
            return EXISTS
        param = params.params[name] = Param(self.host, name, kind)
        if properties:
            write_pointer(properties, param.properties.handle)
        return OK

    @function(Pointer, Text, Pointer, Pointer)
    def paramGetHandle(self, handle, name, where_to, properties):
        params = self.host.handles.get(handle, ParamSet, "paramGetHandle")
        if params is None:
            return BAD_HANDLE
        param = params.params.get(text(name))
        if param is None:
            self.host.journal.wrong(f"paramGetHandle: there is no parameter {text(name)}")
            return UNKNOWN
        write_pointer(where_to, param.handle)
        if properties:
            write_pointer(properties, param.properties.handle)
        return OK

    @function(Pointer, Pointer)
    def paramSetGetPropertySet(self, handle, where_to):
        params = self.host.handles.get(handle, ParamSet, "paramSetGetPropertySet")
        if params is None:
            return BAD_HANDLE
        write_pointer(where_to, params.properties.handle)
        return OK

    @function(Pointer, Pointer)
    def paramGetPropertySet(self, handle, where_to):
        param = self._param(handle, "paramGetPropertySet")
        if param is None:
            return BAD_HANDLE
        write_pointer(where_to, param.properties.handle)
        return OK

    def _hand_over(self, param: Param, value: Any, where_to: int) -> int:
        if param.type == "OfxParamTypeDouble":
            write_double(where_to, value)
        elif param.type in ("OfxParamTypeString", "OfxParamTypeCustom"):
            write_pointer(where_to, self.host.keep_text(value))
        else:
            write_int(where_to, value)
        return OK

    @function(Pointer, Pointer)
    def paramGetValue(self, handle, where_to):
        param = self._valued(handle, "paramGetValue")
        return BAD_HANDLE if param is None else self._hand_over(param, param.value.at(self.host.time), where_to)

    @function(Pointer, Double, Pointer)
    def paramGetValueAtTime(self, handle, time, where_to):
        param = self._valued(handle, "paramGetValueAtTime")
        return BAD_HANDLE if param is None else self._hand_over(param, param.value.at(time), where_to)

    @function(Pointer, Double, Pointer)
    def paramGetDerivative(self, handle, time, where_to):
        return UNKNOWN

    @function(Pointer, Double, Double, Pointer)
    def paramGetIntegral(self, handle, first, last, where_to):
        return UNKNOWN

    def _take(self, handle: int, time: float | None, word: int, number: float, where: str) -> int:
        param = self._valued(handle, where)
        if param is None:
            return BAD_HANDLE
        action, effect = self.host.journal.current
        if action not in SETTABLE_IN:
            self.host.journal.wrong(f"{where}: parameter {param.name} may not be set here")
        if param.type == "OfxParamTypeDouble":
            value: Any = number
        elif param.type in ("OfxParamTypeString", "OfxParamTypeCustom"):
            value = text(Text(word).value)
        else:
            value = Int(word & 0xFFFFFFFF).value
        low, high = (param.properties.values.get(f"OfxParamProp{end}", [value])[0] for end in ("Min", "Max"))
        if value is None or not low <= value <= high or (param.options and value not in range(len(param.options))):
            self.host.journal.wrong(f"{where}: parameter {param.name} cannot be {value!r}")
            return VALUE
        if time is None:
            param.value.constant = value
        else:
            param.value.keys[time] = value
        if effect is not None and action in SETTABLE_IN[1:]:
            effect.plugin_edited(param.name)
        return OK

    @function(Pointer, Pointer, Pointer, Pointer, Pointer, Double)
    def paramSetValue(self, handle, word, _b, _c, _d, number):
        return self._take(handle, None, word or 0, number, "paramSetValue")

    @function(Pointer, Double, Pointer, Pointer, Pointer, Pointer, Double)
    def paramSetValueAtTime(self, handle, time, word, _b, _c, _d, number):
        return self._take(handle, time, word or 0, number, "paramSetValueAtTime")

    @function(Pointer, Pointer)
    def paramGetNumKeys(self, handle, where_to):
        param = self._valued(handle, "paramGetNumKeys")
        if param is None:
            return BAD_HANDLE
        write_int(where_to, len(param.value.keys))
        return OK

    @function(Pointer, Int, Pointer)
    def paramGetKeyTime(self, handle, index, where_to):
        param = self._valued(handle, "paramGetKeyTime")
        times = sorted(param.value.keys) if param else []
        if not 0 <= index < len(times):
            return BAD_HANDLE if param is None else 10
        write_double(where_to, times[index])
        return OK

    @function(Pointer, Double, Int, Pointer)
    def paramGetKeyIndex(self, handle, time, direction, where_to):
        return UNKNOWN

    @function(Pointer, Double)
    def paramDeleteKey(self, handle, time):
        return UNKNOWN

    @function(Pointer)
    def paramDeleteAllKeys(self, handle):
        return UNKNOWN

    @function(Pointer, Pointer, Double, Pointer)
    def paramCopy(self, to, source, offset, frames):
        return UNKNOWN

    @function(Pointer, Text)
    def paramEditBegin(self, handle, name):
        return OK if self.host.handles.get(handle, ParamSet, "paramEditBegin") else BAD_HANDLE

    @function(Pointer)
    def paramEditEnd(self, handle):
        return OK if self.host.handles.get(handle, ParamSet, "paramEditEnd") else BAD_HANDLE
