"""The host: loads a bundle's binary, offers the suites, and drives plug-ins through their actions.

    with Host(NATRON, bundle) as host:
        node = host.plugin("org.cleanplate.VideoMatte").create()
        node.connect("Source", Footage(pictures, (1001, 1008)))
        pixels = node.render(1003)

Leaving the `with` block destroys and unloads everything and raises AssertionError with every offence of the plug-in.
"""

from __future__ import annotations

import _ctypes
import ctypes
import os
import threading
from pathlib import Path
from typing import Any

from ofx_host import standard
from ofx_host.abi import FETCH_SUITE, OfxHost, OfxPlugin, text
from ofx_host.effect import Descriptor, Effect, ImageEffectSuite
from ofx_host.images import Buffer, Image, Picture
from ofx_host.journal import Handles, Journal
from ofx_host.params import ParameterSuite
from ofx_host.plugin import Plugin
from ofx_host.profiles import Profile
from ofx_host.properties import PropertySet, PropertySuite
from ofx_host.suites import (
    Bar,
    MemorySuite,
    MessageSuiteV1,
    MessageSuiteV2,
    MultiThreadSuite,
    PlaneSuiteV1,
    PlaneSuiteV2,
    ProgressSuite,
    TimeLineSuite,
)

PLANES = "uk.co.thefoundry.FnOfxImageEffectPlaneSuite"
SUITES: dict[tuple[str, int], type] = {
    ("OfxPropertySuite", 1): PropertySuite,
    ("OfxImageEffectSuite", 1): ImageEffectSuite,
    ("OfxParameterSuite", 1): ParameterSuite,
    ("OfxMemorySuite", 1): MemorySuite,
    ("OfxMultiThreadSuite", 1): MultiThreadSuite,
    ("OfxMessageSuite", 1): MessageSuiteV1,
    ("OfxMessageSuite", 2): MessageSuiteV2,
    ("OfxProgressSuite", 1): ProgressSuite,
    ("OfxTimeLineSuite", 1): TimeLineSuite,
}
PLANE_SUITES: dict[tuple[str, int], type] = {(PLANES, 1): PlaneSuiteV1, (PLANES, 2): PlaneSuiteV2}


def binary_of(bundle: Path) -> Path:
    """The binary of a bundle for this system."""
    return bundle / "Contents" / "Linux-x86-64" / bundle.name.removesuffix(".bundle")


class Host:
    """One host with one binary loaded.

    A host that is not `careful` hands out the same memory again and again without a look at what becomes of it, for
    benchmarks: they measure the plug-in and not the host.
    """

    def __init__(self, profile: Profile, bundle: Path, careful: bool = True) -> None:
        self.profile, self.bundle, self.careful = profile, bundle, careful
        self.journal = Journal()
        self.handles = Handles(self.journal)
        self.tolerated = frozenset() if profile.extensions else standard.EXTENSION_NAMES
        self.images: dict[int, Image] = {}
        self.kept: dict[int, tuple[Picture, Buffer]] = {}
        self.fetched: list[tuple[str, float, str]] = []
        self.blocks: dict[int, Any] = {}
        self.progress: dict[int, list[float]] = {}
        self.bars: list[Bar] = []
        self.time = 1.0
        self._texts: dict[str, ctypes.c_char_p] = {}
        definitions = standard.HOST | (standard.EXTENSIONS["host"] if profile.extensions else {})
        self.properties = PropertySet(self, "host", definitions, OfxPropName=profile.name, OfxPropLabel=profile.name)
        for name, value in profile.properties.items():
            self.properties.put(name, value)
        offered = {**SUITES, **(PLANE_SUITES if profile.extensions else {})}
        self._suites = {key: kind(self) for key, kind in offered.items() if key not in profile.missing_suites}
        self._struct = OfxHost(self.properties.handle, FETCH_SUITE(self._fetch_suite))
        self.plugins: dict[str, Plugin] = {}
        self._library: ctypes.CDLL | None = None

    def __enter__(self) -> Host:
        try:
            self.load()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.close()
        if error is not None:
            error.add_note(f"offences: {self.journal.wrongs}\nmessages: {[m.text for m in self.journal.messages]}")
        else:
            self.journal.check()

    def load(self) -> None:
        """Opens the binary as Natron does and introduces the host to every plug-in in it."""
        self._library = ctypes.CDLL(os.fspath(binary_of(self.bundle)), mode=os.RTLD_LAZY | os.RTLD_LOCAL)
        count, get = self._library.OfxGetNumberOfPlugins, self._library.OfxGetPlugin
        get.restype, get.argtypes = ctypes.POINTER(OfxPlugin), [ctypes.c_int]
        number = count()
        assert number > 0, "the binary holds no plug-in"
        assert not get(-1), "OfxGetPlugin(-1) is not NULL"
        assert not get(number), f"OfxGetPlugin({number}) is not NULL"
        for index in range(number):
            struct = get(index).contents
            struct.setHost(ctypes.byref(self._struct))
            plugin = Plugin(self, struct)
            assert plugin.id not in self.plugins, f"{plugin.id} is there twice"
            self.plugins[plugin.id] = plugin

    def plugin(self, name: str) -> Plugin:
        """A plug-in that was loaded and described."""
        plugin = self.plugins[name]
        plugin.describe()
        return plugin

    def close(self) -> None:
        """Destroys all instances, unloads all plug-ins and closes the binary."""
        for plugin in self.plugins.values():
            plugin.unload()
        self.plugins.clear()
        if self._library is not None:
            _ctypes.dlclose(self._library._handle)
            self._library = None
        for what, left in (("memory block", self.blocks), ("image", self.images), ("progress bar", self.progress)):
            if left:
                self.journal.wrong(f"{len(left)} {what}s were never given back")

    def effect(self, handle: int, where: str) -> Descriptor | Effect | None:
        """The descriptor or instance of an image effect handle."""
        return self.handles.get(handle, (Descriptor, Effect), where)  # type: ignore[arg-type]

    def keep_text(self, value: str) -> int:
        """The address of a string that lives as long as the host."""
        kept = self._texts.setdefault(value, ctypes.c_char_p(value.encode("utf-8", "surrogateescape")))
        return ctypes.cast(kept, ctypes.c_void_p).value or 0

    def _fetch_suite(self, handle: int, name: bytes, version: int) -> int | None:
        if handle != self.properties.handle:
            self.journal.wrong("fetchSuite was given something else than the host")
            return None
        suite = self._suites.get((text(name) or "", version))
        return suite.address if suite else None


def threads() -> set[str]:
    """The threads of this process, as the kernel numbers them."""
    return set(os.listdir("/proc/self/task"))


def descriptors() -> dict[str, str]:
    """The open files of this process."""
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[entry] = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue
    return found


def in_threads(calls: list[Any]) -> list[Any]:
    """Runs functions at once, each in a thread of its own; results or raises the first error."""
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            results[index] = calls[index]()
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if errors:
        raise errors[0]
    return results
