"""The verb demo: two machines in a temporary folder, kept in sync before the person's eyes.

A hub (a bare repository), an autosync-reflector on a loopback port and two daemons, each with a home
of its own. Nothing outside the folder is read or written. With `--json` each thing that is shown is
one object a line: {"what": started, arrived, conflict or happened, …}.
"""

import json
import select
import signal
import tempfile
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from autosyncd import clock
from autosyncd.control.ending import ENDING, interruptible
from autosyncd.control.machines import Machine, Reflector, start_machines
from autosyncd.control.render import plain
from autosyncd.control.verb import DONE
from autosyncd.errors import AutosyncError
from autosyncd.service.streams import say

T = TypeVar("T")
WITHIN = 30.0
"""Seconds that any part of the show may take."""
LOOK_EVERY = 0.02
FILE = "todo.md"


def demo(options: Namespace) -> int:
    """Show it, then go on until Ctrl-C (or not, with --once)."""
    show = Show(as_json=options.json)
    with interruptible():
        try:
            with ExitStack() as stack:
                _staged(show, stack, once=options.once)
        except KeyboardInterrupt:
            show.say("\nEverything is ended and removed.", what="ended")
    return DONE


def _staged(show: "Show", stack: ExitStack, *, once: bool) -> None:
    try:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="autosync-demo-"))
        run(folder, show, stack, once=once)
    finally:
        # a second Ctrl-C must not keep us from ending what we have started
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)


def run(folder: str, show: "Show", stack: ExitStack, *, once: bool) -> None:
    """The whole show in a folder; what was started is ended with the stack."""
    show.say(
        f"Two machines, laptop and desktop, in {folder}: starting …", what="folder", path=folder
    )
    begin = clock.now()
    reflector, laptop, desktop = start_machines(folder, stack)
    machines = (laptop, desktop)
    show.wait(lambda: all(machine.ready() for machine in machines), (reflector, *machines))
    show.say("Both are ready", what="started", seconds=clock.now() - begin)
    travel(show, reflector, laptop, desktop, "buy milk\n")
    travel(show, reflector, desktop, laptop, "call Ada\n")
    conflict(show, reflector, laptop, desktop)
    if once:
        return
    show.say("", what="")
    show.say("Now you: change, add or delete files in either folder (Ctrl-C ends it):", what="")
    for machine in machines:
        show.say(f"  {machine.notes}", what="")
    for machine in machines:
        machine.news()  # what the show itself made happen
    while True:
        show.wait(lambda: _happened(show, machines), (reflector, *machines), within=float("inf"))


def travel(show: "Show", reflector: Reflector, source: Machine, target: Machine, text: str) -> None:
    """Write in one folder, and wait until it is in the other."""
    written = source.read(FILE) + text
    (source.notes / FILE).write_text(written)
    begin = clock.now()
    show.say(f"{source.name} writes {text.strip()!r} into {FILE}", what="")
    show.wait(lambda: target.read(FILE) == written, (reflector, source, target))
    seconds = clock.now() - begin
    show.say(
        f"{target.name} has it",
        what="arrived",
        source=source.name,
        target=target.name,
        seconds=seconds,
    )
    show.wait(lambda: source.rests() and target.rests(), (reflector, source, target))


def conflict(show: "Show", reflector: Reflector, one: Machine, other: Machine) -> None:
    """Write different things into one line at the same time: both are kept, on both machines."""
    before = one.read(FILE)
    for machine in (one, other):
        (machine.notes / FILE).write_text(before + f"from the {machine.name}\n")
    begin = clock.now()
    show.say(f"Both write another last line into {FILE} at the same time", what="")

    def kept() -> list[str]:
        names = one.names()
        same = names == other.names() and len(names) == 2
        agree = same and all(one.read(name) == other.read(name) for name in names)
        return names if agree else []

    names = show.wait(kept, (reflector, one, other))
    show.say(
        f"Both have both versions now: {', '.join(names)}",
        what="conflict",
        files=names,
        seconds=clock.now() - begin,
    )
    show.wait(lambda: one.rests() and other.rests(), (reflector, one, other))


class Show:
    """What the person sees."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json

    def say(self, text: str, *, what: str, seconds: float | None = None, **facts: object) -> None:
        """One line; as JSON only what has a name."""
        if self._json:
            known = {"what": what, **facts}
            if seconds is not None:
                known["seconds"] = round(seconds, 2)
            line = json.dumps(known) if what else ""
        else:
            line = text if seconds is None else f"{text}, after {seconds:.1f} s"
        if line or not self._json:
            say(line + "\n")

    def wait(
        self,
        probe: Callable[[], T],
        running: "tuple[Reflector | Machine, ...]",
        within: float = WITHIN,
    ) -> T:
        """The first true answer. AutosyncError with what was logged if it takes too long, or if
        something that has to run does not."""
        end = clock.now() + within
        while not (answer := probe()):
            for one in running:
                if (status := one.program.status()) is not None:
                    raise AutosyncError(
                        f"{one.name} has ended (status {status}). {one.last_words()}"
                    )
            if clock.now() > end:
                words = " ".join(one.last_words() for one in running)
                raise AutosyncError(f"It takes longer than {within:.0f} s, so it ends. {words}")
            select.select([], [], [], LOOK_EVERY)
        return answer


def _happened(show: Show, machines: tuple[Machine, ...]) -> bool:
    """Print what the daemons say of commits, pushes, pulls and troubles; never true."""
    for machine in machines:
        for line in machine.news():
            text = plain(f"{clock.stamp(clock.wall())[11:]} {machine.name}: {line}")
            show.say(text, what="happened", machine=machine.name, line=line)
    return False
