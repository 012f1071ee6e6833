"""The benchmarks that no other test runs still run, on small trees; nothing is said of their figures."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed import CHECKOUT

SMALL = {
    "bench_burst": ("--runs", "1", "--folders", "2", "--files", "5"),
    "bench_commit": ("--files", "40", "--folders", "2", "--paths", "2", "--runs", "1"),
    "bench_convergence": ("--rounds", "20", "--parts", "calm", "--in", "{folder}"),
    "bench_start": ("--files", "20", "--folders", "2", "--commits", "3"),
    "bench_update": ("--tree", "200", "--changed", "1,100", "--runs", "1", "--profile", "{folder}"),
    "bench_watch": ("--folders", "20", "--files", "2", "--runs", "1"),
    "bench_year": ("--commits", "1500", "--files", "20"),
}
"""Name → arguments."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_runs(tmp_path: Path, name: str) -> None:
    words = [word.format(folder=tmp_path) for word in SMALL[name]]
    command = [sys.executable, "-P", "-m", f"tests.bench.{name}", *words]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
