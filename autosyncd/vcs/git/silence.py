"""Pure: a command that talks to a remote says nothing; is it at work, and for how long may it be?

To a server that is dead git:// waits for ever, so silence must have an end. But a pre-push hook may run
tests, or upload a large file, and a hook of the hub may look for secrets, while git says no word; to be
ended each time would be to fail for ever. So it is looked whether a hook runs, or bytes move.
"""

from collections.abc import Callable
from dataclasses import dataclass

LOOKS = 3
"""Looks within the time after which silence without a sign of life is the end."""
HOOK_LIMIT = 3600.0
"""Seconds that a hook may run without a word."""
ANSWER_LIMIT = 1800.0
"""Seconds that a remote which lives, or has got all there is, may take to answer."""
SLOW = 100.0
"""Bytes a second that are a transfer; less is a server that shows that it is alive (git-config(1),
receive.keepAlive)."""

TOO_LONG = "It took too long"
SILENT = "The remote fell silent"
PRE_PUSH = "The hook pre-push took longer"
NO_ANSWER = "The remote has not answered"

_SENT = b"Total "
"""git says so when the pack is on its way (`push --progress`)."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What a session does that says nothing."""

    moved: int = 0
    """Bytes that its gits have read and written since the last look."""
    hook: str = ""
    """The hook that runs (githooks(5))."""


@dataclass(slots=True)
class Silence:
    """The silence of one command."""

    limit: float
    """Seconds without any sign of life."""
    push: bool
    signs: Callable[[int], Signs]
    """Those of the session with this leader."""
    hook: str = ""
    """What was running at the last look."""
    over: bool = False
    _looked: float = 0.0
    _alive: float = 0.0
    """At which second of the silence there was the last sign of life."""
    _since: float = 0.0
    """At which second of it something was last done."""
    _answering: bool = False

    @property
    def step(self) -> float:
        """Seconds between two looks."""
        return self.limit / LOOKS

    def look(self, leader: int, quiet: float, said: bytes) -> float:
        """Of a session that has been quiet for so many seconds and said this before: when to look
        again; 0: it is to be ended."""
        begins = not self._looked or quiet < self._looked
        seen = self.signs(leader)
        if begins:  # what has moved may have done so before
            self._alive = self._since = 0.0
            seen = Signs(0, seen.hook)
        if seen.moved >= SLOW * self.step or (self.hook and not seen.hook):
            self._since = quiet
        self._looked, self.hook = quiet, seen.hook
        self._answering = seen.moved > 0 or (self.push and _SENT in said)
        if self.hook or self._answering:
            self._alive = quiet
        most = HOOK_LIMIT if self.hook else ANSWER_LIMIT
        self.over = quiet - self._alive >= self.limit or quiet - self._since >= most
        return 0.0 if self.over else self.step

    def why(self) -> str:
        """What to say of a command that was ended."""
        if not self.over:
            return f"{TOO_LONG}, and was ended."
        if self.hook == "pre-push":
            return f"{PRE_PUSH} than {HOOK_LIMIT / 60:.0f} minutes without a word, and was ended."
        if self.hook:
            return (
                f"{NO_ANSWER} for {HOOK_LIMIT / 60:.0f} minutes, since its hook {self.hook} runs."
            )
        if not self._answering:
            return f"{SILENT} for {self.limit:.0f} s."
        perhaps = "; perhaps a hook of it waits for something" if self.push else ""
        return f"{NO_ANSWER} for {ANSWER_LIMIT / 60:.0f} minutes{perhaps}."
