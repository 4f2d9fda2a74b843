"""The adapter's binaries for macOS and Windows: complete, needing nothing but the system, exporting two functions.

They cannot be run here. Skipped until `make plugin-all` has brought the cross compiler.
"""

import fcntl
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import mach_o
import pytest
from ofx_host.fixtures import HOUSE

from install import systems
from plugin.ofx.universal import join

FUNCTIONS = {"OfxGetNumberOfPlugins", "OfxGetPlugin"}
ZIG = HOUSE / "build/zig/ziglang/zig"
WINES = ("wine64", "wine", "/usr/lib/wine/wine64")
# What zig's linker puts into every library for macOS; neither is a function.
LINKERS_OWN = {"__mh_dylib_header", "___dso_handle"}
WINDOWS = re.compile(r"(kernel32|advapi32|ntdll|api-ms-win-crt-\w+(-\w+)*)\.dll", re.IGNORECASE)


@pytest.fixture(scope="module")
def bundle() -> Path:
    if not ZIG.exists():
        pytest.skip(f"there is no cross compiler in {ZIG.parent}: make plugin-all brings it")
    with open(HOUSE / "build" / ".ofx.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = subprocess.run(["make", "plugin-all"], cwd=HOUSE, capture_output=True, text=True)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-8000:]
    assert "warning:" not in output
    return HOUSE / "build/Cleanplate.ofx.bundle"


@pytest.mark.timeout(1800)
def test_the_bundle_holds_every_system(bundle):
    assert systems.built_for(bundle) == ["Linux", "macOS", "Windows"]
    assert sorted(path.name for path in (bundle / "Contents").iterdir()) == [
        "Info.plist",
        "Linux-x86-64",
        "MacOS",
        "Resources",
        "Win64",
    ]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("processor", ["arm64", "x86-64"])
def test_macos_needs_nothing_but_its_system_library(bundle, processor):
    found = {made.processor: made for made in mach_o.slices(systems.binary_of(bundle, "darwin").read_bytes())}
    assert set(found) == {"arm64", "x86-64"}
    made = found[processor]
    assert made.kind == mach_o.DYLIB
    assert made.exported - LINKERS_OWN == {f"_{name}" for name in FUNCTIONS}
    assert made.libraries == ["/usr/lib/libSystem.B.dylib"]
    assert {library for _, library in made.undefined} == {"/usr/lib/libSystem.B.dylib"}
    assert {"_shm_open", "_getpeereid", "_posix_spawn", "_poll"} <= {name for name, _ in made.undefined}
    assert made.rpaths == 0
    assert made.oldest == (11, 0)
    # Apple's own processors run nothing that is not signed.
    assert made.signed or processor == "x86-64"


@pytest.mark.timeout(1800)
def test_windows_needs_nothing_but_its_system_libraries(bundle):
    if shutil.which("objdump") is None:
        pytest.skip("there is no objdump to read the library with")
    binary = systems.binary_of(bundle, "win32")
    result = subprocess.run(["objdump", "-p", str(binary)], capture_output=True, text=True)
    if "file format not recognized" in result.stderr:
        pytest.skip("this objdump cannot read libraries for Windows")
    listing = result.stdout
    assert "file format pei-x86-64" in listing
    needed = set(re.findall(r"DLL Name: (\S+)", listing))
    assert "KERNEL32.dll" in needed
    assert not {name for name in needed if not WINDOWS.fullmatch(name)}
    assert (
        set(re.findall(r"^\t\[ *\d+\] (?:\+base\[ *\d+\] +[0-9a-f]+ )?(Ofx\w+)$", listing, re.MULTILINE)) == FUNCTIONS
    )
    assert len(re.findall(r"Export RVA", listing)) == len(FUNCTIONS)


@pytest.mark.timeout(1800)
def test_building_for_this_system_again_drops_only_what_is_stale(bundle):
    """`make plugin` leaves the others alone while no source has changed since."""
    dry = subprocess.run(["make", "-n", "plugin"], cwd=HOUSE, capture_output=True, text=True, check=True).stdout
    assert not re.search(r"^\S*(c\+\+|zig|rm) ", dry, re.MULTILINE), dry
    command = ["make", "-n", "plugin", "-W", "build/ofx/worker/wire.o"]
    stale = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^rm -rf .*/Contents/MacOS/ .*/Contents/Win64/$", stale, re.MULTILINE), stale


@pytest.mark.timeout(1800)
def test_the_windows_transport_talks(bundle, tmp_path):
    """Under wine, which stands in for Windows; a program plays the worker that Windows does not have yet."""
    objects = HOUSE / "build/ofx/windows"
    rooms = {
        "system": ("patience",),
        "windows": ("handles", "memory", "places", "stream"),
        "worker": ("wire", "msgpack", "shared_memory"),
    }
    parts = [objects / room / f"{name}.o" for room, names in rooms.items() for name in names]
    program = tmp_path / "conversation.exe"
    command = [ZIG, "c++", "-target", "x86_64-windows-gnu", "-std=c++17", "-O2", "-s", f"-I{HOUSE / 'plugin/ofx'}"]
    cache = os.environ.get("ZIG_GLOBAL_CACHE_DIR", HOUSE / "build/zig-cache")
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    source = HOUSE / "tests/tools/ofx_windows/conversation.cpp"
    subprocess.run([*command, source, *parts, "-o", program], check=True, env=environment)
    wine = next((name for name in WINES if shutil.which(name)), None)
    if wine is None:
        pytest.skip("there is no wine to run a program for Windows with")
    own = {**os.environ, "WINEPREFIX": str(tmp_path / "wine"), "WINEDEBUG": "-all"}
    result = subprocess.run([wine, str(program)], env=own, capture_output=True, text=True, timeout=600)
    assert (result.returncode, result.stdout.strip()) == (0, "talked"), result.stdout + result.stderr


def _thin(processor: int, size: int) -> bytes:
    return struct.pack("<Iii", mach_o.MAGIC, processor, 0) + bytes(size - 12)


def test_joined_binaries_are_whole_and_aligned():
    parts = [_thin(0x0100000C, 5000), _thin(0x01000007, 70000)]
    joined = join(parts)
    magic, count = struct.unpack_from(">II", joined)
    assert (magic, count) == (mach_o.FAT_MAGIC, 2)
    for index, part in enumerate(parts):
        processor, _, offset, size, alignment = struct.unpack_from(">iiIII", joined, 8 + 20 * index)
        assert processor == struct.unpack_from("<Ii", part)[1]
        assert joined[offset : offset + size] == part
        assert offset % (1 << alignment) == 0
        assert alignment == 14


def test_only_binaries_for_different_processors_are_joined():
    with pytest.raises(ValueError, match="not a 64-bit Mach-O"):
        join([b"\x7fELF" + bytes(100)])
    with pytest.raises(ValueError, match="two binaries are for the processor 0x100000c"):
        join([_thin(0x0100000C, 100), _thin(0x0100000C, 100)])
