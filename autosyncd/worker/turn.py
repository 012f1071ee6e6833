"""Pure: one turn of the machine: the state as it becomes, the commands as they gather."""

from dataclasses import dataclass, field, replace
from typing import Any

from autosyncd.link.messages import Message, Problem, Solved, cut
from autosyncd.model import RepoConfig
from autosyncd.worker.commands import Command, Report
from autosyncd.worker.state import State


@dataclass(slots=True)
class Turn:
    """What the handlers of one step() share. It never outlives the step."""

    state: State
    now: float
    policy: RepoConfig
    commands: list[Command] = field(default_factory=list)

    def change(self, **fields: Any) -> None:
        """The state with these fields changed."""
        self.state = replace(self.state, **fields)

    def command(self, command: Command) -> None:
        """Order something."""
        self.commands.append(command)

    def report(self, message: Message) -> None:
        """Tell the supervisor."""
        self.commands.append(Report(message))

    def problem(self, kind: str, text: str) -> None:
        """A person should know; told again only when it was solved meanwhile."""
        if kind not in self.state.problems:
            self.change(problems=self.state.problems | {kind})
            self.report(Problem(kind, cut(text)))

    def solved(self, *kinds: str) -> None:
        """These problems are over (those of them that there were)."""
        for kind in kinds:
            if kind in self.state.problems:
                self.change(problems=self.state.problems - {kind})
                self.report(Solved(kind))
