"""How much memory and time a subject needs, and how many can be worked on at a time."""

import ctypes
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..files.nifti import read_grid
from ..pipeline.solving import inversion_seconds
from ..settings import Settings
from .subjects import Subject

# Measured, with a quarter on top (0.22, 0.30 and 0.55 GB at 49 × 50 × 23, 98 × 98 × 45 and 147 × 147 × 68 with nine
# echoes, 0.73 GB with a bSSFP and a CT; 0.31 GB at the end, with statsmodels for the regressions): of the program
# itself, and bytes for each voxel of an echo, of a map, and of a companion that is registered.
_PROGRAM, _ECHO_VOXEL, _MAP_VOXEL, _COMPANION_VOXEL = 380e6, 16, 160, 16
# Measured seconds of one thread: of the program itself, of a companion's registration and measuring, and millionths for
# each voxel of the grid with nine echoes: to read and to write them and for the fields (with TV-MEDI 8 and 20 s at
# 98 × 98 × 45 and 147 × 147 × 68; other processors took twice that).
_START_S, _COMPANION_S, _FIELD_US, _ECHOES = 3.0, 10.0, 4.0, 9
# Of the memory that is free, what is left to others.
_SPARED = 0.1


def needed_memory(subject: Subject) -> float:
    """Return about how many bytes working on a subject takes at most, from the headers of its files."""
    values, grid = _sizes(subject)
    others = 0
    for kind in ("bssfp", "ct"):
        if kind in subject.companions:
            try:
                others = max(others, math.prod(read_grid(subject.companions[kind])[1]))
            except InputError:
                continue
    # Magnitude and phase are one complex echo.
    return _PROGRAM + max(_ECHO_VOXEL * values / 2 + _MAP_VOXEL * grid, _MAP_VOXEL * grid + _COMPANION_VOXEL * others)


def needed_seconds(subject: Subject, settings: Settings) -> float:
    """Return about how many seconds of one processor a subject takes, from the headers of its files."""
    values, grid = _sizes(subject)
    seconds = _START_S + _COMPANION_S * sum(kind in subject.companions for kind in ("bssfp", "ct"))
    if not grid:
        return seconds
    return seconds + 1e-6 * _FIELD_US * values / (2 * _ECHOES) + inversion_seconds(grid, settings)


def whole_seconds(seconds: Sequence[float], workers: int) -> float:
    """Return about how many seconds a cohort takes whose subjects take `seconds`, `workers` of them at a time."""
    return max(sum(seconds) / workers, max(seconds))


def in_words(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def usable_workers(needed: float, subjects: int) -> int:
    """Return how many subjects of `needed` bytes can be worked on at a time on this computer, at least one."""
    most = min(os.cpu_count() or 1, subjects)
    free = free_memory()
    return most if free is None else max(1, min(most, int(free * (1 - _SPARED) / needed)))


def free_memory() -> float | None:
    """Return the bytes of memory that programs can still have, or None where that is not known."""
    try:
        return _FREE[sys.platform]()
    except (OSError, ValueError, KeyError, AttributeError, subprocess.SubprocessError):
        return None


def _free_on_linux():
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    values = dict(line.split(":", 1) for line in lines)
    limits = [1024.0 * int(values["MemAvailable"].split()[0])]
    # Containers and batch queues give less than the computer has.
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            limits.append(float(Path(limit).read_text()) - float(Path(used).read_text()))
        except (OSError, ValueError):  # "max"
            continue
    return min(limits)


def _free_on_macos():
    said = subprocess.run(["/usr/bin/vm_stat"], capture_output=True, text=True, timeout=10, check=True).stdout
    pages = {name: int(number) for name, number in re.findall(r"^Pages (\w+): +(\d+)\.", said, re.MULTILINE)}
    (size,) = re.findall(r"page size of (\d+) bytes", said)
    return float(size) * (pages["free"] + pages["speculative"] + pages["inactive"])


def _free_on_windows():
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return float(status.available)


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of Windows."""

    _fields_ = [
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "available", "pages", "free_pages", "space", "free_space")),
        ("extended", ctypes.c_uint64),
    ]


_FREE = {"linux": _free_on_linux, "darwin": _free_on_macos, "win32": _free_on_windows}


def _sizes(subject):
    """Values in all images of a subject, and voxels of the largest grid."""
    values, grid = 0, 0
    for path in subject.images:
        try:
            volumes, shape, _ = read_grid(path)
        except InputError:  # told when it is worked on
            continue
        grid = max(grid, math.prod(shape))
        values += volumes * math.prod(shape)
    return values, grid
