"""The kernel's own word of the addresses of a machine, in a network namespace of its own."""

import contextlib
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosyncd.desktop.addresses import reachable, usable
from tests.roaming import IP
from tests.testbed import CHECKOUT, Net, execute
from tests.waiting import eventually

TELLS = """
import asyncio
from autosyncd.desktop import addresses
addresses.AGAIN_AFTER = 0.1
look, looks = addresses.reachable, 0
def counted():
    global looks
    looks += 1
    print("look", looks, flush=True)
    return look()
addresses.reachable = counted
asyncio.run(addresses.AddressWatch(lambda report: print(report.yes, flush=True)).run())
"""
RUNNING, CABLE_OUT, LOOPBACK = 0x1043, 0x1003, 0x49
TEMPORARY, TENTATIVE = 0x01, 0x40


def link(index: int, flags: int) -> bytes:
    return struct.pack("=IHHII", 32, 16, 2, 1, 0) + struct.pack("=BxHiII", 0, 1, index, flags, 0)


def address(index: int, last: int, *, flags: int = 0, scope: int = 0, family: int = 2) -> bytes:
    """10.0.0.LAST, and what else the kernel says of it; a name of odd length among it."""
    attributes = struct.pack("=HH4s", 8, 1, bytes((10, 0, 0, last)))
    attributes += struct.pack("=HH3sx", 7, 3, b"e0\0")
    body = struct.pack("=BBBBI", family, 24, flags, scope, index) + attributes
    return struct.pack("=IHHII", 16 + len(body), 20, 2, 1, 0) + body


def test_what_counts_is_what_others_may_reach() -> None:
    links = link(1, LOOPBACK) + link(2, RUNNING) + link(3, CABLE_OUT)
    told = b"".join(
        (
            address(1, 1),
            address(2, 2),
            address(3, 3),
            address(2, 4, scope=253),
            address(2, 5, flags=TENTATIVE, family=10),
            address(2, 6, flags=TEMPORARY, family=10),
            address(2, 7, flags=TEMPORARY),
        )
    )
    assert set(usable(links, told)) == {(2, bytes((10, 0, 0, last))) for last in (2, 7)}


@pytest.mark.parametrize("size", range(0, 200, 7))
def test_what_is_cut_short_is_no_error(size: int) -> None:
    whole = link(2, RUNNING) + address(2, 2) + address(2, 4)
    assert len(list(usable(whole[:size], whole[:size]))) <= 2


def test_this_machine_can_be_asked() -> None:
    assert b"\x7f\0\0\1" not in {address for _, address in reachable()}


class Laptop:
    """A host of a network, and the words of a watch that runs there."""

    def __init__(self, net: Net, said: Path) -> None:
        self._net, self._said = net, said

    def ip(self, *words: str) -> None:
        execute([IP, "-n", self._net.namespace("laptop"), *words])

    def said(self) -> list[str]:
        return self._said.read_text().splitlines()

    @property
    def reports(self) -> list[str]:
        return [line for line in self.said() if not line.startswith("look")]

    @property
    def looks(self) -> int:
        return len(self.said()) - len(self.reports)


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    said = tmp_path / "said"
    with Net("laptop") as net, said.open("w") as out, contextlib.ExitStack() as ending:
        watch = subprocess.Popen(
            [IP, "netns", "exec", net.namespace("laptop"), sys.executable, "-P", "-c", TELLS],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            stdout=out,
        )
        ending.callback(watch.wait, 10)
        ending.callback(watch.kill)
        laptop = Laptop(net, said)
        eventually(lambda: laptop.looks == 1, 10)
        yield laptop


@pytest.mark.root
@pytest.mark.slow
def test_another_address_is_told_and_what_is_no_news_is_not(laptop: Laptop) -> None:
    new = ("10.9.9.9/24", "dev", "eth0", "preferred_lft", "900", "valid_lft")
    laptop.ip("addr", "add", *new, "900")
    eventually(lambda: laptop.reports == ["True"], 10)

    # a router renews it; what stays within the cable comes, and goes
    before = laptop.looks
    laptop.ip("addr", "change", *new, "1800")
    eventually(lambda: laptop.looks > before, 10)
    before = laptop.looks
    laptop.ip("addr", "add", "169.254.7.7/16", "dev", "eth0", "scope", "link")
    eventually(lambda: laptop.looks > before, 10)
    assert laptop.reports == ["True"]

    laptop.ip("link", "set", "eth0", "down")
    eventually(lambda: laptop.reports == ["True", "False"], 10)
    laptop.ip("link", "set", "eth0", "up")
    eventually(lambda: laptop.reports[:3] == ["True", "False", "True"], 10)


@pytest.mark.root
@pytest.mark.slow
def test_many_messages_are_one_look(laptop: Laptop) -> None:
    for last in range(1, 40):
        laptop.ip("addr", "add", f"10.9.8.{last}/24", "dev", "eth0")
    eventually(lambda: laptop.reports, 10)
    eventually(lambda: laptop.looks >= 2, 10)
    assert laptop.looks <= 8
