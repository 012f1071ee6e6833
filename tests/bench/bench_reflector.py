"""From announce to heard, through a real reflector; what many listeners cost; what it weighs.

Run from the checkout: python -m tests.bench.bench_reflector
"""

import asyncio
import statistics
import time
from contextlib import ExitStack

from autosyncd.model import Channel, FanoutConfig, PushNotice, TreeId
from autosyncd.transport.fanout import FanoutTransport
from tests.reflector_process import LineClient, ReflectorProcess

CHANNEL = Channel("cd" * 32)
ROUNDS = 200
LISTENERS = 400


class Stopwatch:
    """A listener that notes when it hears."""

    def __init__(self) -> None:
        self.online = asyncio.Event()
        self.times: asyncio.Queue[float] = asyncio.Queue()

    def heard(self, notice: PushNotice, sender: str) -> None:
        self.times.put_nowait(time.perf_counter())

    def connected(self) -> None:
        pass

    def changed(self, *, online: bool, reason: str) -> None:
        if online:
            self.online.set()


async def latencies(port: int) -> list[float]:
    """Milliseconds from announce in one client to heard in another, ROUNDS times."""
    config = FanoutConfig("127.0.0.1", port, tls=False)
    here, there = Stopwatch(), Stopwatch()
    sender, hearer = FanoutTransport(config, here), FanoutTransport(config, there)
    hearer.subscribe(frozenset({CHANNEL}))
    tasks = [asyncio.create_task(one.run()) for one in (sender, hearer)]
    await here.online.wait()
    await there.online.wait()
    found = []
    for number in range(ROUNDS):
        begin = time.perf_counter()
        sender.announce(PushNotice((CHANNEL,), "main", f"{number:040x}", TreeId(""), ""))
        found.append((await there.times.get() - begin) * 1000)
        await asyncio.sleep(1 / 40)  # below the rate at which the reflector slows a client down
    for one in (sender, hearer):
        one.stop()
    await asyncio.gather(*tasks)
    return found


def fan_out(port: int) -> float:
    """Milliseconds until LISTENERS connections have all heard one announcement."""
    with ExitStack() as stack:
        clients = [stack.enter_context(LineClient(port)).greeted() for _ in range(LISTENERS)]
        for client in clients:
            client.send(b"subscribe x")
            client.in_step()
        begin = time.perf_counter()
        clients[0].send(b"announce x y")
        for client in clients:
            client.line()
        return (time.perf_counter() - begin) * 1000


def main() -> None:
    with ReflectorProcess() as reflector:
        idle = reflector.pss()
        found = sorted(asyncio.run(latencies(reflector.port)))
        print(f"idle: {idle / 2**20:.1f} MiB PSS")
        print(
            f"announce to heard: median {statistics.median(found):.2f} ms, "
            f"95 % {found[int(len(found) * 0.95)]:.2f} ms, worst {found[-1]:.2f} ms"
        )
        print(f"one announcement to {LISTENERS} listeners: {fan_out(reflector.port):.1f} ms")
        print(f"after them: {reflector.pss() / 2**20:.1f} MiB PSS")


if __name__ == "__main__":
    main()
