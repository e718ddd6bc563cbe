"""Memory that this process may use: the limits of machine, container (cgroup) and ``ulimit -v``, and its own peak."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path
from typing import Literal, NamedTuple

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# what is metered: pages in memory, or addresses
Kind = Literal["resident", "virtual"]
KINDS: tuple[Kind, ...] = ("resident", "virtual")
NOW = {"resident": "VmRSS", "virtual": "VmSize"}
# addresses that a thread takes: its stack, and what glibc sets aside for what it allocates
THREAD_BYTES = (8 + 64) * 2**20
HIGHEST = {"resident": "VmHWM", "virtual": "VmPeak"}


class Bound(NamedTuple):
    """A limit on the memory of this process.

    Args:
        name: Who sets it.
        kind: Which of the process's sizes it holds for.
        most_bytes: How large that may become.
    """

    name: str
    kind: Kind
    most_bytes: int


def bounds(processes: int = 1) -> list[Bound]:
    """Every limit that this process is under; none where the system tells of none, as outside Linux.

    What is free of the machine and of the container is shared with this process's siblings; swap does not count.

    Args:
        processes: Of this job on this machine.
    """
    if (resident := size("resident")) is None:
        return []
    free = [("the machine", _machine()), *(("the container", room) for room in _containers())]
    found = [Bound(name, "resident", resident + room // processes) for name, room in free if room is not None]
    if (most := resource.getrlimit(resource.RLIMIT_AS)[0]) != resource.RLIM_INFINITY:
        found.append(Bound("ulimit -v", "virtual", most))
    return found


def size(kind: Kind, *, highest: bool = False) -> int | None:
    """Bytes of this process now, or at their highest since ``forget_highest``; None where there is no /proc."""
    name = (HIGHEST if highest else NOW)[kind]
    try:
        text = (PROC / "self" / "status").read_text()
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def forget_highest() -> None:
    """Let the peak of resident memory begin anew, where the system allows it; that of addresses never does."""
    try:
        (PROC / "self" / "clear_refs").write_text("5")
    except OSError:
        return


def highest_resident() -> int:
    """The most bytes of this process in memory at once since it began, or since ``forget_highest``."""
    if (known := size("resident", highest=True)) is not None:
        return known
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _machine() -> int | None:
    """Bytes that the machine can give without swapping."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", (PROC / "meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _containers() -> list[int]:
    """Bytes left in each control group around this process that has a limit, of version 2 or 1."""
    try:
        lines = (PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    rooms = []
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = CGROUPS / "memory" if controllers else CGROUPS
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        group = top / place.lstrip("/")
        # within a container, its own group may be shown as the top
        for folder in {group, *group.parents, top}:
            if folder == top or top in folder.parents:
                rooms.append(_room(folder, *names))
    return [room for room in rooms if room is not None]


def _room(folder: Path, limit: str, usage: str) -> int | None:
    try:
        most, used = (folder / limit).read_text().strip(), int((folder / usage).read_text())
        stat = (folder / "memory.stat").read_text()
    except (OSError, ValueError):
        return None
    # 2**63 less a page is version 1's word for none
    if not most.isdecimal() or int(most) >= 2**62:
        return None
    # of files that were read, and that the system drops when it needs the room
    dropped = re.search(r"^(?:total_)?inactive_file (\d+)", stat, re.MULTILINE)
    return max(0, int(most) - used + (int(dropped[1]) if dropped else 0))
