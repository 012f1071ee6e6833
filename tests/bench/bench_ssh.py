"""What a push over ssh costs with a connection of its own, and over the one that is shared.

Run from the checkout: python -m tests.bench.bench_ssh (the second part needs root)

One commit of one small file each, by the very command that a worker gives: on loopback, and on a
network with 20 ms of delay each way. The first shared push, which makes the connection, is not counted.
"""

import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from autosyncd.vcs.git.command import Git
from autosyncd.vcs.process import Runner
from tests.bench.ending import end_tidily
from tests.bench.figures import heading, row
from tests.daemons import git
from tests.testbed import GitServers, Net
from tests.testbed.program import CHECKOUT

ROUNDS = 30
DELAY = "20ms"
ALONE = " -o ControlMaster=no -o ControlPath=none"


def pushes(tree: Path, environment: dict[str, str]) -> list[float]:
    """Milliseconds of each push but the first."""
    ours = Git(os.fsencode(tree), Runner(), {**os.environ, **environment})
    ours.use_quiet_ssh()
    found = []
    for number in range(ROUNDS + 1):
        (tree / "file").write_text(f"{environment['GIT_SSH_COMMAND'][-4:]} {number}\n")
        git(tree, "add", ".")
        git(tree, "commit", "-qm", str(number))
        begin = time.perf_counter()
        said = ours.network("push", "--porcelain", "origin", "HEAD:refs/heads/main")
        found.append((time.perf_counter() - begin) * 1000)
        assert said.code == 0, said.complaint
    return found[1:]


def compare(url: str, environment: dict[str, str], where: str) -> None:
    """Both ways, one after the other, in one tree."""
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as folder:
        tree = Path(folder, "tree")
        tree.mkdir()
        git(tree, "init", "-q", "-b", "main")
        git(tree, "remote", "add", "origin", url)
        shared = {**environment, "XDG_RUNTIME_DIR": folder}
        alone = {**shared, "GIT_SSH_COMMAND": environment["GIT_SSH_COMMAND"] + ALONE}
        for name, given in (("alone", alone), ("shared", shared)):
            found = pushes(tree, given)
            row(
                f"{where}, {name}",
                f"median {statistics.median(found):.0f} ms, worst {max(found):.0f} ms",
            )
        end_connections(folder)


def end_connections(folder: str) -> None:
    """The one that stays would keep the server's end for a minute."""
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if line.startswith(b"ssh: " + os.fsencode(folder)):
            os.kill(int(entry.name), signal.SIGTERM)


def main() -> None:
    """Loopback here; the network in a child that lives on one of its hosts."""
    if sys.argv[1:2] == ["--inside"]:
        url, key = sys.argv[2:]
        compare(url, {"GIT_SSH_COMMAND": key}, f"{DELAY} of delay each way")
        return
    heading(f"A push over ssh, {ROUNDS} of each kind")
    with tempfile.TemporaryDirectory() as folder, GitServers(Path(folder, "git")) as servers:
        compare(servers.url("ssh"), servers.environment, "loopback")
    if os.geteuid() != 0:
        return
    with (
        Net("a") as net,
        tempfile.TemporaryDirectory() as folder,
        GitServers(Path(folder, "git"), net=net) as servers,
    ):
        net.shape("a", delay=DELAY)
        words = ["--inside", servers.url("ssh"), servers.environment["GIT_SSH_COMMAND"]]
        inside = [sys.executable, "-P", "-m", "tests.bench.bench_ssh", *words]
        python = ["env", f"PYTHONPATH={CHECKOUT}", *inside]
        print(net.run("a", *python, timeout=120).stdout, end="", flush=True)


if __name__ == "__main__":
    end_tidily()
    main()
