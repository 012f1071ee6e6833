"""The supervisor's repositories: a worker each, and what is shown and told of them.

A repository's key is its path, which is what a tree is known by: whatever the configuration calls
it, there is never a second worker for one path.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf

from autosyncd import clock
from autosyncd.config.overlap import Neighbours
from autosyncd.link.messages import Conflict, Identity, Located, Message, cut
from autosyncd.link.outside import Alert, Asked, RepositoryConflict, Withdraw
from autosyncd.model import AlertKind, RepoConfig, Status
from autosyncd.service.journal import Event, fields
from autosyncd.supervisor import news, routing
from autosyncd.supervisor.beginning import Beginning
from autosyncd.supervisor.child import Child, Life, Limits
from autosyncd.supervisor.children import Children
from autosyncd.supervisor.dispatch import Dispatch
from autosyncd.supervisor.herald import Herald
from autosyncd.supervisor.leads import Leads
from autosyncd.supervisor.news import PROCESS, View
from autosyncd.supervisor.record import Record
from autosyncd.supervisor.requests import order_of
from autosyncd.supervisor.room import REASON, Room
from autosyncd.supervisor.summary import Line
from autosyncd.supervisor.whereabouts import WorkerEntry

log = logging.getLogger("autosyncd")


class Repositories:
    """All of them. Reports go on to `dispatch`."""

    def __init__(
        self,
        children: Children,
        herald: Herald,
        dispatch: Dispatch,
        entry: WorkerEntry,
        limits: Limits,
    ) -> None:
        self._children = children
        self._herald = herald
        self._dispatch = dispatch
        self._limits = limits
        self._views: dict[str, View] = {}
        self._leads = Leads()
        self._beginning = Beginning(children, entry, limits, self._around)
        self._record = Record()
        self._room = Room(herald)
        self._without: frozenset[str] = frozenset()
        """Those that there is no room for: they have a row and no worker."""

    @property
    def answered(self) -> bool:
        """Every worker has said how its repository is, or nothing more is to be expected of it."""
        return all(view.answered for view in self._views.values())

    def lines(self) -> list[Line]:
        """For the summary."""
        return [Line(v.config.name, v.status, v.reason) for v in self._views.values()]

    def apply(self, wanted: Iterable[RepoConfig], guarded: Mapping[str, str]) -> bool:
        """Run these and no others; only what differs is touched. Whether anything did.

        `guarded`: paths that none of them may contain, and what each is. tick() makes the processes.
        """
        by_path = {config.path: config for config in wanted}
        old = {path: view.config for path, view in self._views.items()}
        names = self._names()
        failed = {
            path: self._leads.objection(path, names)
            for path in old.keys() & by_path.keys()
            if self._failed(path)
        }
        for path in old.keys() - by_path.keys():
            del self._views[path]
            self._leads.forget(path)
            self._end(path)
        self._leads.guarded = guarded
        # what failed for the sake of another entry may go on when that is gone
        names = {path: config.name for path, config in by_path.items()}
        again = {path for path, why in failed.items() if self._leads.objection(path, names) != why}
        before, self._without = self._without, self._room.without(list(by_path.values()))
        again |= before ^ self._without
        fresh = [c for path, c in by_path.items() if old.get(path) != c or path in again]
        for name in {c.name for c in old.values()} - {c.name for c in by_path.values()}:
            self._herald.gone(name)
        for config in fresh:
            self._anew(config)
        self._views = {path: self._views[path] for path in by_path}
        return bool(fresh) or old.keys() != by_path.keys()

    def retry(self) -> None:
        """Give workers that were given up another chance."""
        self._children.retry(path for path in self._views if path in self._children)

    def stop(self) -> None:
        """End every worker."""
        for path in self._views:
            self._end(path)

    def reported(self, path: str, report: Message) -> None:
        """A worker's report. The last words of one that was replaced or removed count too."""
        self._dispatch.reported(path, report)
        view = self._views.get(path)
        if view is None or path in self._without:
            return
        name = view.config.name
        self._record.of_worker(name, report, clock.now())
        self._views[path] = news.seen(view, report)
        self._show(path)
        match report:
            case Identity():
                self._herald.channels(routing.subscription(view.config, report))
            case Conflict(paths=paths):
                self._herald.conflict(RepositoryConflict(name, paths))
            case Located(path=real):
                for other in self._leads.heard(path, real, self._names()):
                    self._anew(self._views[other].config)
        self._alert(news.alert(view.config, report))

    def turned(self, path: str, before: Child, after: Child) -> None:
        """A change in the life of a worker's process."""
        view = self._views.get(path)
        if view is None or path in self._without:
            self._sweep(path)
            return
        self._dispatch.turned(path, after)
        name = view.config.name
        said = news.in_trouble(view.config, before, self._limits)
        trouble = news.in_trouble(view.config, after, self._limits)
        if after.life is Life.BACKOFF and not after.silences:
            extra = fields(repo=name, event=Event.CHILD_DIED)
            log.warning("the worker's process %s", news.ended(after, self._limits), extra=extra)
        self._views[path] = news.lived(view, after, self._limits, clock.wall())
        self._show(path)
        if trouble and trouble != said:
            event = Event.CHILD_DIED if after.life is Life.FATAL else Event.STUCK
            log.error("%s", trouble, extra=fields(repo=name, event=event))
            if AlertKind.PROBLEM in view.config.alerts:
                title = f"{name}: a problem"
                self._alert(Alert(name, AlertKind.PROBLEM, PROCESS, title, cut(trouble)))
        elif after.life is Life.STARTING:
            self._herald.withdraw_all(name, spared=PROCESS)  # a new worker says what still holds
        elif after.life is Life.RUNNING:
            self._herald.withdraw(Withdraw(name, PROCESS))

    def asked(self, request: Asked) -> None:
        """The person asks for something that workers do."""
        self._begun(self._beginning.all())  # all shall hear it
        order = order_of(request, clock.wall())
        if order is None:
            log.warning("%r was asked for, which nobody here can do.", request.verb)
            return
        for path, view in self._views.items():
            if path in self._without:
                continue
            if request.repository in ("", view.config.name):
                self._dispatch.asked(path, order)

    def pass_on(self, message: Message) -> None:
        """Every worker hears this."""
        for path in self._views:
            self._children.post(path, message)

    def tick(self) -> None:
        """Begin workers, write what is to be written."""
        self._begun(self._beginning.tick())
        self._record.tick(clock.now())

    def deadline(self) -> float:
        """When tick() has something to do."""
        return -inf if self._beginning.waiting else self._record.deadline()

    def close(self) -> None:
        """All workers have ended; nothing waits any more."""
        self._record.flush()

    def _anew(self, config: RepoConfig) -> None:
        """Its next worker, by all that is known now; or none, if there is no room for it."""
        view = View(config, clock.wall())
        if config.path in self._without:
            self._views[config.path] = replace(
                view, status=Status.FAILED, reason=REASON, answered=True
            )
            self._herald.withdraw_all(config.name)
            self._end(config.path)
        else:
            self._views[config.path] = view
            self._beginning.add(config)
        self._show(config.path)

    def _names(self) -> dict[str, str]:
        return {path: view.config.name for path, view in self._views.items()}

    def _around(self, path: str) -> Neighbours:
        return self._leads.around(path, self._names())

    def _begun(self, paths: Iterable[str]) -> None:
        """Their workers were made, but where an older process does not end: that is to be seen."""
        for path in paths:
            child = self._children[path]
            if child.life is Life.KILLING:
                self._views[path] = news.lived(self._views[path], child, self._limits, clock.wall())
                self._show(path)

    def _failed(self, path: str) -> bool:
        """Whether the worker, which may be well itself, can't work on its repository."""
        well = path in self._children and self._children[path].life in (Life.RUNNING, Life.FATAL)
        return well and self._views[path].status is Status.FAILED

    def _end(self, path: str) -> None:
        self._beginning.drop(path)
        if path in self._children:
            self._children.stop(path)

    def _show(self, path: str) -> None:
        self._herald.row(news.row(self._views[path]))

    def _alert(self, told: Alert | Withdraw | None) -> None:
        if isinstance(told, Withdraw):
            self._herald.withdraw(told)
        elif told is not None:
            self._herald.alert(told)

    def _sweep(self, path: str) -> None:
        """Forget a removed repository once its process is gone."""
        if self._children[path].life is Life.STOPPED:
            self._children.forget(path)
            self._dispatch.left(path)
