"""The benchmarks that no other test runs still run, on small trees; nothing is said of their figures.

One that is told to end leaves nothing that runs."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.ending import TERMINATED
from tests.testbed import CHECKOUT
from tests.waiting import eventually

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


def those_of(folder: Path) -> set[str]:
    """The command lines of the processes that have the folder in theirs."""
    found = set()
    for entry in os.listdir("/proc"):
        try:
            line = Path("/proc", entry, "cmdline").read_bytes() if entry.isdigit() else b""
        except OSError:
            continue
        if os.fsencode(folder) in line:
            found.add(line.replace(b"\0", b" ").decode())
    return found


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sshd", path="/usr/sbin:/usr/bin") is None, reason="needs sshd")
def test_a_benchmark_that_is_told_to_end_takes_its_servers_along(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "tests.bench.bench_ssh"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment) as running:
        eventually(lambda: any("sshd" in line for line in those_of(tmp_path)), 60)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == TERMINATED
    eventually(lambda: not those_of(tmp_path), 10)
    assert list(tmp_path.iterdir()) == []
