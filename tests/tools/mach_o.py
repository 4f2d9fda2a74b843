"""What a macOS binary exports and needs, read as Apple's `mach-o/loader.h` and `mach-o/fat.h` describe it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

FAT_MAGIC, MAGIC = 0xCAFEBABE, 0xFEEDFACF
PROCESSORS = {0x0100000C: "arm64", 0x01000007: "x86-64"}
DYLIB = 6
SYMTAB, LOAD_DYLIB, DYLD_INFO, EXPORTS_TRIE, SIGNATURE, BUILD_VERSION = 0x2, 0xC, 0x80000022, 0x80000033, 0x1D, 0x32
LOADING = {LOAD_DYLIB, 0x80000018, 0x8000001F, 0x80000023}
RPATH = 0x8000001C
DEBUG, TYPE, EXTERNAL = 0xE0, 0x0E, 0x01


@dataclass
class Slice:
    """One processor's binary; `undefined` are pairs of a symbol and the library that is to have it."""

    processor: str
    kind: int
    libraries: list[str] = field(default_factory=list)
    exported: set[str] = field(default_factory=set)
    undefined: set[tuple[str, str]] = field(default_factory=set)
    signed: bool = False
    rpaths: int = 0
    oldest: tuple[int, int] = (0, 0)


def slices(data: bytes) -> list[Slice]:
    """The binaries in a universal one."""
    magic, count = struct.unpack_from(">II", data)
    assert magic == FAT_MAGIC, "this is no universal binary"
    found = []
    for index in range(count):
        processor, _, offset, size, alignment = struct.unpack_from(">iiIII", data, 8 + 20 * index)
        assert offset % (1 << alignment) == 0
        assert offset + size <= len(data)
        found.append(_slice(data[offset : offset + size], processor))
    return found


def _slice(data: bytes, processor: int) -> Slice:
    magic, own, _, kind, count, _, _ = struct.unpack_from("<IiiIIII", data)
    assert magic == MAGIC
    assert own == processor
    made = Slice(PROCESSORS[processor], kind)
    symbols: tuple[int, ...] = ()
    at = 32
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, at)
        if command in LOADING:
            (name,) = struct.unpack_from("<I", data, at + 8)
            made.libraries.append(data[at + name : at + size].split(b"\0")[0].decode())
        elif command == SYMTAB:
            symbols = struct.unpack_from("<IIII", data, at + 8)
        elif command in (DYLD_INFO, EXPORTS_TRIE):
            offset, length = struct.unpack_from("<II", data, at + (40 if command == DYLD_INFO else 8))
            made.exported |= set(_trie(data[offset : offset + length])) if length else set()
        elif command == BUILD_VERSION:
            (version,) = struct.unpack_from("<I", data, at + 12)
            made.oldest = (version >> 16, version >> 8 & 0xFF)
        made.signed |= command == SIGNATURE
        made.rpaths += command == RPATH
        at += size
    made.undefined = set(_undefined(data, symbols, made.libraries))
    return made


def _undefined(data: bytes, table: tuple[int, ...], libraries: list[str]) -> Iterator[tuple[str, str]]:
    first, count, strings, _ = table
    for index in range(count):
        name, kind, _, description, _ = struct.unpack_from("<IBBHQ", data, first + 16 * index)
        if kind & DEBUG or kind & TYPE or not kind & EXTERNAL:
            continue
        ordinal = description >> 8
        text = data[strings + name : data.index(b"\0", strings + name)].decode()
        yield text, libraries[ordinal - 1] if 1 <= ordinal <= len(libraries) else f"ordinal {ordinal}"


def _trie(trie: bytes, at: int = 0, prefix: str = "") -> Iterator[str]:
    """The names in an export trie: at each node the size of its own entry, then its children."""
    size, at = _number(trie, at)
    if size:
        yield prefix
    at += size
    children, at = trie[at], at + 1
    for _ in range(children):
        end = trie.index(b"\0", at)
        child, after = _number(trie, end + 1)
        yield from _trie(trie, child, prefix + trie[at:end].decode())
        at = after


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A ULEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
