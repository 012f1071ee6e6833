"""How figures are printed, and on what machine they were taken."""

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence


def heading(title: str) -> None:
    """The benchmark's name and what its figures depend on; the load tells how far to trust them."""
    git = subprocess.check_output(["git", "--version"], text=True).split()[2]
    one, five, _ = os.getloadavg()
    print(f"{title}")
    print(
        f"  {os.cpu_count()} cores, load {one:.1f} (5 min: {five:.1f}), "
        f"Linux {platform.release()}, Python {platform.python_version()}, git {git}",
        flush=True,
    )


def row(label: str, figure: str, target: str = "") -> None:
    """One line: what, how much, and what was aimed at."""
    aim = f"   (target {target})" if target else ""
    print(f"  {label:<46} {figure}{aim}", flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def spread(seconds: Sequence[float]) -> str:
    """Median, 95th percentile and worst of some durations."""
    return (
        f"p50 {statistics.median(seconds):.2f} s, p95 {percentile(seconds, 0.95):.2f} s, "
        f"max {max(seconds):.2f} s"
    )
