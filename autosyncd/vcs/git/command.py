"""How git is called: a fixed environment, fixed settings, a deadline, never a terminal."""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autosyncd.errors import AutosyncError
from autosyncd.vcs import channel
from autosyncd.vcs.git import pushing
from autosyncd.vcs.git.lifesigns import Lifesigns
from autosyncd.vcs.git.silence import SILENT, Silence
from autosyncd.vcs.git.ssh import Ssh, SshLine
from autosyncd.vcs.git.sshcommand import host_of, is_openssh, quiet_ssh
from autosyncd.vcs.git.surroundings import NO_HOOKS, SETTINGS, environment_of, readable
from autosyncd.vcs.partner import Partner
from autosyncd.vcs.process import Runner
from autosyncd.vcs.slots import Slots

QUICK = 120.0
"""Seconds for a command that asks or writes a little."""
LONG = 3600.0
"""Seconds for a command whose cost grows with the tree."""
DAY = 86400.0
"""Seconds for a command that talks to a remote, as long as something moves: lines are slow."""
TRIES = 3
SILENCE = 90.0
"""Seconds a network command may say nothing, and show no sign of life, before it counts as hung."""

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
EMPTY_TREE_SHA256 = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"


class GitFailed(AutosyncError):
    """git ended with a status nobody expected; str() is a sentence with git's own words."""

    def __init__(self, verb: str, code: int, complaint: str, *, timed_out: bool = False) -> None:
        self.verb, self.code, self.complaint, self.timed_out = verb, code, complaint, timed_out
        how = "took too long and was ended" if timed_out else f"failed with status {code}"
        super().__init__(f"git {verb} {how}: {complaint or 'it said nothing'}")


@dataclass(frozen=True, slots=True)
class Result:
    """What git said."""

    code: int
    out: bytes
    complaint: str

    @property
    def text(self) -> str:
        """Standard output without the last newline."""
        return self.out.decode("utf-8", "surrogateescape").rstrip("\n")

    @property
    def records(self) -> list[bytes]:
        """NUL-terminated records (the -z of git's plumbing)."""
        return self.out.split(b"\0")[:-1]


class Git:
    """git in one work tree."""

    def __init__(self, root: bytes, runner: Runner, environment: Mapping[str, str]) -> None:
        self.root = root
        self._runner = runner
        self._environment = environment_of(environment)
        self._lookup: Partner | None = None
        self._ssh: Ssh | None = None
        self._push_options = True
        runtime = environment.get("XDG_RUNTIME_DIR")
        self._slots = Slots(os.path.join(runtime, "autosync") if runtime else None)
        self._addresses: dict[tuple[str, ...], tuple[object, list[str]]] = {}
        self.excludes: bytes | None = None
        """The file that holds what is left out besides what .gitignore says (excludes.py)."""
        self.required_filters: Mapping[str, tuple[str, ...]] = {}
        """Settings of filters by which they must not fail unseen (verbs/settings.py)."""

    def __call__(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        ok: Sequence[int] = (0,),
        index: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = QUICK,
    ) -> Result:
        """A local command, no hooks. Raises GitFailed if its status is not in `ok`."""
        env = self._environment | dict(environment or {})
        if index is not None:
            env["GIT_INDEX_FILE"] = index.decode("utf-8", "surrogateescape")
        argv = ["git", *self._settings(NO_HOOKS), *arguments]
        for _ in range(TRIES):
            done = self._runner.run(argv, cwd=self.root, env=env, stdin=stdin, timeout=timeout)
            if done.code != -signal.SIGBUS:
                break  # else a file was truncated while git had it mapped, or the disk fails
            if index is not None and b"/autosync/" in index:  # ours alone, and so is its lock
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(index + b".lock")
        result = Result(done.code, done.out, readable(done.err))
        if done.timed_out or done.code not in ok:
            raise GitFailed(_verb(arguments), done.code, result.complaint, timed_out=done.timed_out)
        return result

    def network(self, *arguments: str, timeout: float = DAY, address: str = "") -> Result:
        """A command that talks to a remote (at this address, if it is named by no remote's name); hooks
        run (pre-push). Its status is the caller's."""
        address = address or self._destination(arguments)
        with self._slots.held(channel.host(address), self._runner.stopping):
            return self._talk(address, arguments, timeout)

    def _talk(self, address: str, arguments: Sequence[str], timeout: float) -> Result:
        line = self._line(address)
        result = self._over(line, arguments, timeout)
        if line is None or result.code == 0 or self._ssh is None:
            return result
        silent = result.complaint.startswith(SILENT)
        complaint, again = self._ssh.failed(
            line, result.complaint, self._environment, silent=silent
        )
        if again:
            return self._over(self._line(address), arguments, timeout)
        return Result(result.code, result.out, complaint)

    def _over(self, line: SshLine | None, arguments: Sequence[str], timeout: float) -> Result:
        if arguments[0] != "push":
            return self._heard(line, arguments, (), timeout)
        more = pushing.settings(arguments, options=self._push_options)
        result = self._heard(line, arguments, more, timeout)
        if self._push_options and pushing.NO_OPTIONS in result.complaint:
            self._push_options = False
            return self._over(line, arguments, timeout)
        return result

    def _heard(
        self, line: SshLine | None, arguments: Sequence[str], more: Sequence[str], timeout: float
    ) -> Result:
        silence = Silence(SILENCE, arguments[0] == "push", Lifesigns().of)
        with self._runner.patient(silence):
            done = self._runner.run(
                ["git", *self._settings(*more), *arguments],
                cwd=self.root,
                env=self._environment | dict(line.environment if line is not None else {}),
                timeout=timeout,
                silence=SILENCE,
                network=True,
            )
        complaint = readable(done.err)
        if done.timed_out:
            complaint = f"{silence.why()} {complaint}".strip()
        return Result(done.code or (1 if done.timed_out else 0), done.out, complaint)

    def _line(self, address: str) -> SshLine | None:
        """The way to the remote, if ssh leads there."""
        host = None if self._ssh is None else host_of(address)
        return (
            None if self._ssh is None or host is None else self._ssh.line(host, self._environment)
        )

    def _destination(self, arguments: Sequence[str]) -> str:
        """The address of the remote that a network command names, or an empty text."""
        words = [word for word in arguments if not word.startswith("-")]
        if len(words) < 2:
            return ""
        if ":" in words[1]:
            return words[1]
        return self.addresses(words[1], pushes=words[0] == "push")[0]

    def addresses(self, remote: str, *, pushes: bool) -> list[str]:
        """Where a remote is read, or pushed to (git-remote(1), get-url): at least one, perhaps empty.
        Asked anew when the settings of the repository have changed."""
        try:
            found = os.stat(self.root + b"/.git/config")
            stamp: object = (found.st_ino, found.st_size, found.st_mtime_ns)
        except OSError:
            stamp = object()  # a linked work tree: asked each time
        words = ("--push", "--all", remote) if pushes else (remote,)
        known = self._addresses.get(words)
        if known is None or known[0] != stamp:
            said = self("remote", "get-url", *words, ok=(0, 2, 128)).text
            known = (stamp, said.split("\n"))
            self._addresses[words] = known
        return known[1]

    def lookup(self, name: str) -> str | None:
        """The id of the object that a name stands for (gitrevisions(7)), in a tenth of a
        millisecond; None when there is none. Raises GitFailed when git can't say."""
        if self._lookup is None:
            self._lookup = self.partner("cat-file", "--batch-check")
        answer = self._lookup.ask(name.encode("utf-8", "surrogateescape"))
        if answer is None:
            raise GitFailed("cat-file", 1, f"it does not say what {name} is")
        words = answer.split()
        found = len(words) == 3 and words[2].isdigit()
        return words[0].decode() if found else None

    def partner(
        self,
        *arguments: str,
        settings: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Partner:
        """A long-lived child, started when it is first asked."""
        env = self._environment | dict(environment or {})
        argv = ["git", *self._settings(NO_HOOKS, *settings), *arguments]
        runner = self._runner
        return Partner(argv, cwd=self.root, env=env, given_up=lambda: runner.refuses_local)

    def variable(self, name: str) -> str | None:
        """What a variable of the environment is for our git."""
        return self._environment.get(name)

    def rest(self) -> None:
        """There will be no question for a while: no child stays."""
        if self._lookup is not None:
            self._lookup.end()
            self._lookup = None

    def use_quiet_ssh(self) -> None:
        """Wrap whatever ssh command the person has configured (git-config(1), core.sshCommand)."""
        if "GIT_SSH" in self._environment and "GIT_SSH_COMMAND" not in self._environment:
            return
        configured = self._environment.get("GIT_SSH_COMMAND") or self.config("core.sshCommand")
        if "BatchMode" not in configured:
            configured = self._environment["GIT_SSH_COMMAND"] = quiet_ssh(configured)
        if is_openssh(configured) and self._environment.get("GIT_SSH_VARIANT", "ssh") == "ssh":
            self._ssh = Ssh(self._runner, configured)

    def config(self, name: str) -> str:
        """The value of one setting, or an empty text."""
        return self("config", "--get", name, ok=(0, 1)).text

    def _settings(self, *more: str) -> list[str | bytes]:
        options: list[str | bytes] = []
        for setting in (*SETTINGS, *more):
            options += ["-c", setting]
        for name, added in self.required_filters.items():
            for setting in added:
                options += ["-c", f"filter.{name}.{setting}"]
        if self.excludes is not None:
            options += ["-c", b"core.excludesFile=" + self.excludes]
        return options


def _verb(arguments: Sequence[str | bytes]) -> str:
    words = [word for word in arguments if isinstance(word, str) and not word.startswith("-")]
    return words[0] if words else "command"
