"""The host's limits: how many CPUs this process may use, its peak memory, and giving memory back."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_CGROUPS = Path("/sys/fs/cgroup")
_ARENA_MAX = -8  # glibc's number of this option
_OWN_CGROUPS = Path("/proc/self/cgroup")


def available_cpus() -> int:
    """Return the number of CPUs that this process may use, at least 1.

    It is the smallest of the machine's CPUs, the CPUs that the process is bound to (affinity), and the quota of its
    container or job (Linux control groups, rounded up to whole CPUs).
    """
    quota = cgroup_quota(_CGROUPS, _OWN_CGROUPS)
    usable = _usable_cpus()
    return usable if quota is None else max(1, min(usable, math.ceil(quota)))


def peak_memory() -> int | None:
    """Return the peak memory of this process so far in bytes; None if the system does not report it."""
    try:
        import resource
    except ImportError:  # not available on Windows
        return _windows_peak_memory()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, other systems kilobytes


def share_heaps() -> bool:
    """Let all threads share two heaps from now on, where the C library is glibc; return whether it does.

    It would give nearly every thread a heap of its own, and each keeps what it once needed: a server with forty threads
    seems to leak.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    return set_option is not None and sys.platform == "linux" and bool(set_option(_ARENA_MAX, 2))


def return_free_memory() -> bool:
    """Give the system what the heaps hold of free memory; return whether there was any, and a way to do it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    return trim is not None and bool(trim(0))


def cgroup_quota(root: Path, own: Path) -> float | None:
    """Return the smallest CPU quota of a process's control groups and of the groups that contain them.

    Args:
        root: folder where control groups are mounted.
        own: file that lists the process's groups, one `number:controllers:path` per line.

    Returns:
        CPUs, above 0; None if there is no limit.
    """
    try:
        lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    quotas: list[float] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2: one tree for all
            folders, read = _with_parents(root, path), _quota_v2
        elif "cpu" in controllers.split(","):
            folders, read = _with_parents(root / "cpu", path), _quota_v1
        else:
            continue
        quotas += [quota for folder in folders if (quota := read(folder)) is not None]
    return min(quotas, default=None)


def _usable_cpus() -> int:
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _with_parents(root: Path, path: str) -> Iterator[Path]:
    """Yield the folders of a group and of all groups that contain it.

    Inside a container the path may be the host's, which does not exist there. Only the root is found then, and it
    holds the limits of the container.
    """
    inside = PurePosixPath(path.lstrip("/"))
    for part in (inside, *inside.parents):
        if ".." not in part.parts:
            yield root / part


def _quota_v2(folder: Path) -> float | None:
    """Read `cpu.max`: microseconds of CPU time in each period (or `max`), and the period."""
    words = _words(folder / "cpu.max")
    return _ratio(words[0], words[1]) if len(words) == 2 else None


def _quota_v1(folder: Path) -> float | None:
    """Read the two files of version 1; a quota of -1 means no limit."""
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    return _ratio(quota[0], period[0]) if quota and period else None


def _ratio(quota: str, period: str) -> float | None:
    if not (quota.isdecimal() and period.isdecimal() and int(quota) and int(period)):
        return None
    return int(quota) / int(period)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []


class _MemoryCounters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of the Windows API."""

    _fields_ = (
        ("cb", ctypes.c_uint32),
        ("PageFaultCount", ctypes.c_uint32),
        ("PeakWorkingSetSize", ctypes.c_size_t),
        ("WorkingSetSize", ctypes.c_size_t),
        ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
        ("QuotaPagedPoolUsage", ctypes.c_size_t),
        ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
        ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
        ("PagefileUsage", ctypes.c_size_t),
        ("PeakPagefileUsage", ctypes.c_size_t),
    )


def _windows_peak_memory() -> int | None:
    load = getattr(ctypes, "WinDLL", None)
    if load is None:
        return None
    try:
        kernel = load("kernel32", use_last_error=True)
        # Without these declarations, ctypes would truncate the 64-bit handle to 32 bits.
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        ask = kernel.K32GetProcessMemoryInfo
        ask.argtypes = (ctypes.c_void_p, ctypes.POINTER(_MemoryCounters), ctypes.c_uint32)
        ask.restype = ctypes.c_int
        counters = _MemoryCounters(cb=ctypes.sizeof(_MemoryCounters))
        succeeded = ask(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb)
    except (OSError, AttributeError):
        return None
    return int(counters.PeakWorkingSetSize) if succeeded else None
