"""Pure: what a push came to, and what is said of it.

As in complaint.py, the words are those of git 2.39 to 2.47 and of the well-known hosts.
"""

import re
from dataclasses import dataclass
from enum import Enum

from autosyncd.redaction import without_secrets
from autosyncd.vcs.git.complaint import DAMAGED, HOST_KEY, away, servers_lines, servers_words
from autosyncd.vcs.git.silence import NO_ANSWER, PRE_PUSH, SILENT
from autosyncd.vcs.outcomes import Away, AwayKind

_REFUSED = re.compile(
    r"protected branch|pre-receive hook declined|hook declined|push declined|push rejected"
    r"|deploy key|read[- ]only|not allowed to push|permission to .* denied|write access"
    r"|returned error: 403|denyCurrentBranch|branch is currently checked out|denied to"
    r"|exceeds .* (file )?size limit|large files detected|push protection|unpacker error"
    r"|secrets? (were |was )?(found|detected)|insufficient permission"
    r"|service not enabled|prohibited|quota",
    re.I,
)
_HUB_FULL = re.compile(r"no space left|disk quota|quota (is |was |has been )?exceeded", re.I)
"""Of a push. (What is "too large" there is a file that a hook refuses, for good.)"""
_MOVED = re.compile(
    r"non-fast-forward|fetch first|cannot lock ref|failed to update ref|incorrect old value"
    r"|stale info|needs force|already exists|failed to lock|remote ref updated",
    re.I,
)
_LOCK_FILE = re.compile(r"Unable to create '(?P<path>[^'\n]+\.lock)': File exists")

_ENDED = re.compile(r"^(?:error|fatal): (.+)", re.M)
"""Of a push: why it came to nothing, and where."""

_NAMED = (
    # GitHub, GH001: large files detected
    re.compile(r"File (.+?) is [\d.]+ [KMGT]i?B; this (?:exceeds|is larger)"),
    # GitHub, GH013: push protection, below "locations:"
    re.compile(r"^path: (.+?)(?::\d+)?$"),
    # GitLab: secret push protection
    re.compile(r"^-- (.+?):\d+ \| "),
    # GitLab: push rules
    re.compile(r"File name (.+?) was (?:prohibited|blacklisted) by the pattern"),
    # Gitea, Forgejo: protected files of a branch
    re.compile(r"protected from changing file (.+?)\.?$"),
)
_BLOB = re.compile(r"- ([0-9a-f]{40}|[0-9a-f]{64}) \(")


class PushVerdict(Enum):
    """What one push came to."""

    ACCEPTED = "accepted"
    MOVED = "moved"
    """The remote moved: fetch, merge, push again."""
    LOCKED = "locked"
    """Another push is at work there, or was killed there: as above, but not for ever."""
    REFUSED = "refused"
    """The remote will not take it, now or in a minute."""
    FULL = "full"
    """The remote would take it, but has no room."""
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """A push's verdict, with the words a person should see."""

    verdict: PushVerdict
    text: str = ""
    own_hook: bool = False
    """It was the person's pre-push that refused it, if there is one; the remote was not asked."""


def push_answer(code: int, porcelain: str, complaint: str) -> PushAnswer:
    """From `git push --porcelain` of one ref: FLAG TAB FROM:TO TAB SUMMARY (REASON)."""
    for line in porcelain.splitlines():
        flag, tab, rest = line.partition("\t")
        if tab and flag == "!":
            return _rejected(rest.rpartition("\t")[2], complaint)
        if tab and flag in (" ", "+", "*", "=", "-"):
            return PushAnswer(PushVerdict.ACCEPTED)
    if code == 0:
        return PushAnswer(PushVerdict.ACCEPTED)
    if complaint.startswith(PRE_PUSH):
        return PushAnswer(PushVerdict.REFUSED, _sentence(complaint), own_hook=True)
    if complaint.startswith((SILENT, NO_ANSWER)) or DAMAGED.search(complaint):
        return PushAnswer(PushVerdict.AWAY, complaint)
    # only a hook of the person's own (pre-push) ends a push before the remote has answered
    own_hook = code == 1 and "failed to push some refs" in complaint
    if own_hook or (_REFUSED.search(complaint) and not HOST_KEY.search(complaint)):
        return PushAnswer(PushVerdict.REFUSED, servers_words(complaint), own_hook)
    return PushAnswer(PushVerdict.AWAY, complaint)


def _rejected(reason: str, complaint: str) -> PushAnswer:
    """Of a ref that was not taken, for this reason; "[remote rejected]" is said by the hub's git."""
    theirs = "\n".join(servers_lines(complaint))
    if _HUB_FULL.search(theirs):
        return PushAnswer(PushVerdict.FULL, servers_words(complaint))
    if "[remote rejected]" not in reason:
        return PushAnswer(PushVerdict.MOVED, reason)
    if lock := _LOCK_FILE.search(theirs):
        return PushAnswer(PushVerdict.LOCKED, lock["path"].replace("/./", "/"))
    if _MOVED.search(reason):
        return PushAnswer(PushVerdict.MOVED, reason)
    if "unpacker error" in reason and DAMAGED.search(complaint):
        return PushAnswer(PushVerdict.AWAY, complaint)  # what we sent broke off
    return PushAnswer(PushVerdict.REFUSED, servers_words(complaint) or reason)


def hub_full(words: str, remote: str) -> str:
    """What is said of a push that found no room."""
    return (
        f"{remote} has no space left for what is new here, or its quota is used up; commits stay "
        f"here, and are pushed by themselves when there is room. ({words})"
    )


def refusal(words: str, hook: str | None) -> str:
    """What is said of a push that is not taken: by the remote, or by this hook of the person's."""
    who = "The remote refuses the push" if hook is None else f"Your {hook} lets no push out"
    return f"{who}; commits stay here, and it is tried again slowly: {words}"


def hub_locked(lock: str, remote: str) -> Away:
    """What is said when the lock file at this path of the hub stays."""
    return Away(
        AwayKind.LOCKED,
        f"{remote} takes no push, since the lock file {lock} stays there; commits stay here, and the "
        "push is tried again by itself. If no git is at work on that machine, one was killed: remove "
        "that file.",
    )


def not_taken(answer: PushAnswer, complaint: str, remote: str, address: str) -> str:
    """What is said of a further address that is pushed to."""
    said = _ENDED.search(complaint) if answer.verdict is PushVerdict.AWAY else None
    why = said[1] if said else answer.text or complaint
    return (
        f"{remote} pushes to {without_secrets(address)} as well, which did not take what is new here; "
        f"that is tried again by itself: {why}"
    )


def no_answer(complaint: str, remote: str) -> Away:
    """What is said of a push of which the remote doesn't say what became of it."""
    if not complaint.startswith(NO_ANSWER):
        return away(complaint, remote)
    return Away(
        AwayKind.NETWORK,
        f"{remote} does not say whether it takes the push; commits stay here, and the push is tried "
        f"again by itself. ({_sentence(complaint)})",
    )


def _sentence(complaint: str) -> str:
    """What was found out; git's own words come after it, and are about its end."""
    return complaint.partition(".")[0] + "."


def named_paths(complaint: str) -> list[str]:
    """The files that a server says it refuses the push for, in the words of the known hosts."""
    found = []
    for line in servers_lines(complaint):
        for pattern in _NAMED:
            found += pattern.findall(line)
    return list(dict.fromkeys(found))


def named_blobs(complaint: str) -> list[str]:
    """Ids of blobs that a server says it refuses: GitLab lists `- ID (120 MiB)`."""
    lines = servers_lines(complaint)
    return [found[1] for found in map(_BLOB.match, lines) if found]
