"""What processes use, as proc(5) tells: processor time, memory, wakeups."""

import contextlib
import os
import re
import resource
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes and of all the children they have waited for."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15])
    return total / _TICKS


def pss(pid: int, part: str = "Pss") -> float:
    """MiB of memory, what is shared divided by those that share it. `part`: "Pss_Anon" leaves out what
    comes from files, of which a process has the less the more others run Python just then."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(rf"^{part}:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def rss(pid: int) -> float:
    """MiB of memory in RAM, shared or not."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def switches(pids: Iterable[int]) -> int:
    """Context switches of all threads, each time one went to sleep: not where it had to give way, which
    is the load of the machine."""
    total = 0
    for pid in pids:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            with contextlib.suppress(OSError):
                found = re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.M)
                total += sum(int(one) for one in found)
    return total


def name(pid: int) -> str:
    """What the kernel calls it (at most 15 bytes)."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def children_cpu_seconds() -> float:
    """User and system time of all the children this process has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
