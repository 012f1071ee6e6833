"""Pure: what is known of one repository, and what of a worker's report a person is to hear."""

from dataclasses import dataclass, replace

from autosyncd.link.messages import (
    Announce,
    Committed,
    Conflict,
    HeadMoved,
    Identity,
    Message,
    Problem,
    Pulled,
    Solved,
    StatusChanged,
    cut,
)
from autosyncd.link.outside import (
    Alert,
    RepositoryStatus,
    Withdraw,
)
from autosyncd.model import AlertKind, RepoConfig, Status
from autosyncd.supervisor.child import NO_PROCESS, Child, Life, Limits

PROCESS = "process"
"""Topic of the alert that a repository's own process is in trouble."""
_BYTES = {"path": 1024, "reason": 1280, "branch": 256, "remote": 128}
"""What each text of a row may take of the one pipe write that the row has to fit into."""


@dataclass(frozen=True, slots=True)
class View:
    """One repository as its worker last described it."""

    config: RepoConfig
    since: float
    """Of the status; wall clock seconds."""
    status: Status = Status.STARTING
    reason: str = ""
    until: float | None = None
    """Of a pause, where that is known; wall clock seconds."""
    branch: str = ""
    head: str = ""
    remote: str = ""
    answered: bool = False
    """The present process has said how the repository is, or has none to say it."""


def seen(view: View, report: Message) -> View:
    """The view after a worker's report."""
    match report:
        case Identity():
            head, remote = report.head or "", report.remote or ""
            return replace(view, branch=report.branch, head=head, remote=remote)
        case StatusChanged(status, reason, since, until):
            if view.answered and (status, reason) == (view.status, view.reason):
                since = view.since  # a pause has another end
            view = replace(view, status=status, reason=reason, since=since, until=until)
            return replace(view, answered=True)
        case HeadMoved(head) | Committed(head):
            return replace(view, branch=head.branch, head=head.commit)
        case _:
            return view


def lived(view: View, child: Child, limits: Limits, wall: float) -> View:
    """The view after a change in the life of its worker's process."""
    trouble = in_trouble(view.config, child, limits)
    if trouble:
        since = view.since if view.reason == trouble else wall
        view = replace(view, status=Status.FAILED, reason=trouble, since=since, until=None)
        return replace(view, answered=True)
    match child.life:
        case Life.STARTING:
            view = replace(view, status=Status.STARTING, reason="", since=wall, until=None)
            return replace(view, answered=False)
        case Life.BACKOFF:
            reason = f"its process {ended(child, limits)}"
            return replace(view, status=Status.RETRYING, reason=reason, since=wall, until=None)
        case _:
            return view


def in_trouble(config: RepoConfig, child: Child, limits: Limits) -> str:
    """Why a person has to look after this process, as a sentence; empty: they need not."""
    if child.life is Life.FATAL:
        return f"its process {ended(child, limits)}"
    if child.stuck:
        return f"the file system of {config.name} doesn't answer; its process can't even be killed"
    killed = child.silences - (child.life is Life.KILLING)
    if killed > 0:  # a successor that waits in the same place says nothing either
        return (
            f"its process did not answer for {limits.silence:.0f} s and was ended; perhaps the file "
            f"system of {config.path} doesn't answer"
        )
    return ""


def ended(child: Child, limits: Limits) -> str:
    """How the process of a child in BACKOFF or FATAL ended and what comes next, as a predicate."""
    if child.life is Life.FATAL:
        return (
            f"ended {len(child.deaths)} times within {limits.within:.0f} s (the last one "
            f"{_ending(child)}); it is tried again at the next reload"
        )
    return f"{_ending(child)}; a new one starts in {child.wait:.0f} s"


def _ending(child: Child) -> str:
    if child.silences:
        return "did not answer and was ended"
    if child.status == NO_PROCESS:
        return "could not be made"
    if child.status is None or child.status >= 0:
        return f"ended with status {child.status}"
    return f"was ended by signal {-child.status}"


def row(view: View) -> RepositoryStatus:
    """As the control interface shows it; texts too long for a link are cut."""
    return RepositoryStatus(
        repository=view.config.name,
        path=_fit("path", view.config.path),
        status=view.status,
        reason=_fit("reason", view.reason),
        since=view.since,
        branch=_fit("branch", view.branch),
        head=view.head,
        remote=_fit("remote", view.remote),
        until=view.until,
    )


def alert(config: RepoConfig, report: Message) -> Alert | Withdraw | None:
    """What the person asked to hear of such a report, if anything."""
    name = config.name
    match report:
        case Solved(kind):
            return Withdraw(name, kind)
        case Problem(kind, text):
            told = Alert(name, AlertKind.PROBLEM, kind, f"{name}: a problem", text)
        case Conflict(count, paths):
            what = "1 file was" if count == 1 else f"{count} files were"
            text = f"{what} changed in two places; both versions are kept: {_named(count, paths)}"
            title = f"{name}: both versions kept"
            told = Alert(name, AlertKind.CONFLICT, "conflict", title, cut(text))
        case Pulled(_, files, hosts):
            text = f"{_files(files)} updated" + (f" from {', '.join(hosts)}" if hosts else "")
            told = Alert(name, AlertKind.PULLED, "pulled", f"{name}: pulled", cut(text))
        case Announce():
            told = Alert(name, AlertKind.PUSHED, "pushed", f"{name}: pushed", "All is pushed.")
        case _:
            return None
    return told if told.kind in config.alerts else None


def lasting(told: Alert) -> bool:
    """Whether the alert stands until it is withdrawn; the others happen and are over."""
    return told.kind is AlertKind.PROBLEM


def _named(count: int, paths: tuple[str, ...]) -> str:
    rest = count - len(paths)
    return ", ".join(paths) + (f" and {rest} more" if rest > 0 else "")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _fit(name: str, text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= _BYTES[name]:
        return text
    return data[: _BYTES[name] - 3].decode("utf-8", "ignore") + "…"
