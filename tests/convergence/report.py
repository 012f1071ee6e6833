"""What a run has found, in numbers and words."""

import collections
from dataclasses import dataclass, field

from tests.convergence.world import World


@dataclass
class Report:
    """What a run found."""

    seed: int
    rounds: int = 0
    judged: int = 0
    faults: list[str] = field(default_factory=list)
    totals: collections.Counter[str] = field(default_factory=collections.Counter)
    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    oddities: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    worst: float = 0.0
    """Seconds until an own commit was on the hub (realtime only)."""
    usual: float = 0.0
    """Their median."""

    def line(self) -> str:
        """The summary, in one line."""
        totals = ", ".join(f"{name} {number}" for name, number in sorted(self.totals.items()))
        said = "; ".join(f"{name} {number}" for name, number in sorted(self.outcomes.items()))
        verdict = f"FAULTS {len(self.faults)}" if self.faults else "no fault"
        return (
            f"seed {self.seed}: {verdict}; {self.rounds} rounds, judged {self.judged} times; "
            f"{totals} | {said}"
        )


def count(report: Report, world: World) -> None:
    """The totals of a world."""
    report.totals["contents verified"] = world.judge.verified
    report.totals["own commits kept"] = world.judge.kept
    for host in world.hosts:
        report.totals["acts"] += host.person.acts
        report.totals["late writes"] += host.person.late
        report.totals["gates passed"] += host.gate.passed
        report.outcomes += host.outcomes
        report.oddities += host.oddities
