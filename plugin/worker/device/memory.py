"""The host's memory: how much this process may take, and giving it back."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
from pathlib import Path
from typing import ClassVar

import psutil

from plugin.worker.protocol import system

USABLE_SHARE = 0.9
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def host_limit() -> int:
    """Bytes this process may use: the machine's memory or the limit of its control group."""
    limit = psutil.virtual_memory().total
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limit = min(limit, int(Path(name).read_text()))
        except (OSError, ValueError):
            continue
    return limit


def available() -> int:
    """Bytes that could be allocated now without driving others out of memory."""
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = (group / "memory.stat").read_text().splitlines()
        reclaimable = next(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
        used = int((group / "memory.current").read_text()) - reclaimable
        free = min(free, max(0, int((group / "memory.max").read_text()) - used))
    return free


def budget(total: int, share: float) -> int:
    """Bytes that networks and kept states may take: `CLEANPLATE_MEMORY_GB`, else a share of the device's memory."""
    setting = os.environ.get("CLEANPLATE_MEMORY_GB", "")
    try:
        return int(float(setting) * 1e9) if setting else int(share * total)
    except ValueError:
        return int(share * total)


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(psutil.Process().memory_info().rss)


def trim_heap() -> None:
    """Returns free heap memory to the system, where the C library can."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def cores() -> int:
    """Physical processor cores this process may use, or `CLEANPLATE_THREADS`."""
    setting = os.environ.get("CLEANPLATE_THREADS", "")
    if setting.isdigit() and int(setting) > 0:
        return int(setting)
    allowed = system.usable_cores()
    physical, logical = psutil.cpu_count(logical=False) or allowed, psutil.cpu_count() or allowed
    found = max(1, round(allowed * min(1.0, physical / logical)))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(found, round(int(quota) / int(period))))
    except (OSError, ValueError):
        return found


def tune_heap() -> None:
    """Makes the C heap keep what was freed; to be called before there are other threads.

    A network frees and allocates the same large tensors for every frame. Handing them back to the system each time
    costs page faults worth up to half of the computing time (measured: BGMv2, HD, 120,000 faults per frame), and
    arenas per thread would each keep their own. `trim_heap` gives the memory back when the worker rests.
    """
    with contextlib.suppress(AttributeError):
        libc = ctypes.CDLL(None)
        for option, value in ((_M_ARENA_MAX, 1), (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1)):
            libc.mallopt(option, value)


def limit_growth() -> None:
    """Makes allocations fail that the machine has no memory for, so that they end in a sentence.

    Without it the system's OOM killer ends the worker, or worse, the host. Holds until it is called again, since what
    is available changes with what else runs. Only Linux says how much there is now.
    """
    if not Path("/proc/self/statm").exists():
        return
    data = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    limit = data + int(USABLE_SHARE * available())
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def trim_if_swollen() -> None:
    """Returns free heap memory to the system if it is more than a quarter of the machine's, as after a huge frame."""
    with contextlib.suppress(AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallinfo2.restype = _Mallinfo2
        if libc.mallinfo2().numbers[8] > host_limit() // 4:
            trim_heap()


class _Mallinfo2(ctypes.Structure):
    """glibc's ten numbers about the heap; the ninth, `fordblks`, is what is free."""

    _fields_: ClassVar = [("numbers", ctypes.c_size_t * 10)]
