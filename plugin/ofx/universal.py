"""Joins macOS binaries for several processors into one that runs on all of them.

python -m plugin.ofx.universal JOINED BINARY [BINARY ...]

The format (`fat_header` in Apple's `mach-o/fat.h`): big-endian, the magic and a count, an entry for each binary with
its processor, place, size and alignment, then the binaries as they are.
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path

FAT_MAGIC = 0xCAFEBABE
MACH_O_MAGIC = 0xFEEDFACF
# Pages of 16 KiB, as on Apple's own processors.
ALIGNMENT = 14
_HEADER, _ENTRY, _MACH_O = struct.Struct(">II"), struct.Struct(">iiIII"), struct.Struct("<Iii")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m plugin.ofx.universal", description=__doc__)
    parser.add_argument("joined", type=Path)
    parser.add_argument("binaries", type=Path, nargs="+")
    options = parser.parse_args()
    options.joined.parent.mkdir(parents=True, exist_ok=True)
    options.joined.write_bytes(join([path.read_bytes() for path in options.binaries]))
    options.joined.chmod(0o755)


def join(binaries: list[bytes]) -> bytes:
    """The universal binary of 64-bit Mach-O binaries. Raises ValueError for what is none, or for a processor twice."""
    entries: list[tuple[int, int, int, int, int]] = []
    parts: list[bytes] = []
    offset = _HEADER.size + _ENTRY.size * len(binaries)
    for binary in binaries:
        magic, processor, kind = _MACH_O.unpack_from(binary)
        if magic != MACH_O_MAGIC:
            raise ValueError("this is not a 64-bit Mach-O binary")
        if any(entry[0] == processor for entry in entries):
            raise ValueError(f"two binaries are for the processor {processor:#x}")
        padding = -offset % (1 << ALIGNMENT)
        offset += padding
        entries.append((processor, kind, offset, len(binary), ALIGNMENT))
        parts += [bytes(padding), binary]
        offset += len(binary)
    return b"".join([_HEADER.pack(FAT_MAGIC, len(binaries)), *(_ENTRY.pack(*entry) for entry in entries), *parts])


if __name__ == "__main__":
    main()
