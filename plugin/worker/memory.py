"""The host's memory: how much this process may take, and giving it back."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
from pathlib import Path

import psutil

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
    allowed = len(os.sched_getaffinity(0))
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


def limit_data(size: int) -> None:
    """Makes allocations beyond `size` bytes fail, so that they end in a sentence and not in the system's OOM killer."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        size = min(size, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (size, hard))
