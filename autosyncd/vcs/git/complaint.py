"""Pure: what git's own words mean.

git has no error codes for most of what a remote can say; these are the phrases of git itself, of ssh,
of libcurl and of the well-known hosts, as seen on git 2.39 to 2.47. What is not known counts as a
network that is away: it is retried, and the words are shown.
"""

import re
from signal import SIGBUS, SIGKILL

from autosyncd.vcs.outcomes import Away, AwayKind, Failed

REMEDY = "What helps: "
"""What a line of a complaint begins with that we have put there ourselves."""
_SETTINGS = re.compile(
    r"bad configuration option|terminating, \d+ bad|bad owner or permissions"
    r"|no argument after keyword|missing argument|extra arguments at end of line"
    r"|can't open user config file",
    re.I,
)
"""ssh's own settings are at fault, and it goes no further."""
_KEY_FILE = re.compile(r"unprotected private key file|^load key ", re.I | re.MULTILINE)
HOST_KEY = re.compile(
    r"host key verification failed|remote host identification has changed|no .* host key is known",
    re.I,
)
_CONFIRMATION = re.compile(
    r"agent refused operation|signing failed for \S+-SK|confirm user presence"
    r"|waits for (a touch|somebody's answer)",
    re.I,
)
_CREDENTIALS = re.compile(
    r"permission denied \(|could not read (username|password)|authentication failed"
    r"|terminal prompts disabled|invalid username or password|HTTP Basic: Access denied"
    r"|returned error: 401|sign_and_send_pubkey|too many authentication failures"
    r"|passphrase|unable to authenticate",
    re.I,
)
_BY_PASSWORD = re.compile(
    r"could not read (username|password)|authentication failed for|terminal prompts disabled"
    r"|invalid username or password|HTTP Basic: Access denied|returned error: 401",
    re.I,
)
_NOT_FOUND = re.compile(
    r"repository '?[^\n]*'? not found|does not appear to be a git repository|repository not found"
    r"|returned error: 404|no such remote|project you were looking for could not be found"
    r"|access denied or repository not exported",
    re.I,
)
_OTHER_HASHES = re.compile(r"mismatched algorithms|not support this repository's hash algorithm")
DAMAGED = re.compile(
    r"bad object|bad tree object|is corrupt|corrupt (loose )?object|object file .* is empty"
    r"|missing (blob|tree|commit)|unable to (read|find|unpack) [0-9a-f]{40}|inflate: data stream"
    r"|unable to read (tree|source object)|did not send all necessary objects|object corrupt",
    re.I,
)
_FULL = re.compile(r"no space left|disk quota|quota exceeded|file too large", re.I)


_OWN_LOCK = re.compile(
    r"^(?!remote:).*Unable to create '(?P<path>[^'\n]+\.lock)': File exists", re.M
)


def away(complaint: str, remote: str) -> Away:
    """Why a remote could not be read, and what the person could do about it."""
    if lock := _OWN_LOCK.search(complaint):
        return Away(
            AwayKind.LOCKED,
            f"What {remote} has can't be noted here, since the lock file {lock['path']} is there; it is "
            "tried again by itself. If no git is at work here, one was killed: remove that file.",
        )
    said = _last_words(complaint)
    for sign, told in ((DAMAGED, _damaged), (_FULL, _full)):
        if sign.search(complaint):
            theirs = bool(sign.search("\n".join(servers_lines(complaint))))
            return told(remote, said, theirs=theirs)
    if _SETTINGS.search(complaint):
        text = (
            f"{remote}: ssh refuses its own settings on this machine; mend what it names. ({said})"
        )
        return Away(AwayKind.CREDENTIALS, text)
    if HOST_KEY.search(complaint):
        return Away(
            AwayKind.HOST_KEY,
            f"{remote}: the server's ssh key is not known or has changed; connect to it once by hand "
            f"with ssh and check the key. ({said})",
        )
    if _CONFIRMATION.search(complaint):
        return Away(
            AwayKind.CONFIRMATION,
            f"{remote}: the ssh key wants to be touched or confirmed, and nobody did; when you are "
            f"there: autosyncctl sync. It is tried again once an hour only. ({said})",
        )
    if _CREDENTIALS.search(complaint):
        return Away(AwayKind.CREDENTIALS, f"{remote}: {_let_in(complaint, remote)}. ({said})")
    if _NOT_FOUND.search(complaint):
        return Away(
            AwayKind.NOT_FOUND,
            f"{remote}: the server knows no such repository, or hides it from us; check the address "
            f"with: git remote -v. ({said})",
        )
    if _OTHER_HASHES.search(complaint):
        return Away(
            AwayKind.NOT_FOUND,
            f"{remote} names its commits by another kind of hash than this repository (SHA-1, SHA-256), "
            f"and git can't sync the two; give it a remote of its own kind. ({said})",
        )
    return Away(
        AwayKind.NETWORK, f"{remote} can't be reached; it is tried again by itself. ({said})"
    )


def _let_in(complaint: str, remote: str) -> str:
    """Why the server does not let us in, and what would make it."""
    if _BY_PASSWORD.search(complaint):
        once = "git ls-remote" if "/" in remote else "git push --dry-run"
        end = "" if "/" in remote else " HEAD"
        return (
            "the server wants a name and a password, and git has none that it takes; let git keep one "
            "with a credential helper, such as: git config --global credential.helper store; and "
            f"then, once by hand, so that it can ask: {once} {remote}{end}"
        )
    if _KEY_FILE.search(complaint):
        return (
            "the server doesn't let us in, and ssh can't use a key file here; mend what it names "
            "(keys that others can read: chmod 600)"
        )
    ours = [line for line in complaint.splitlines() if line.startswith(REMEDY)]
    if ours:
        return f"the server doesn't let us in without asking. {ours[-1].removeprefix(REMEDY)}"
    return "the server doesn't let us in without asking; load the key into an ssh-agent"


def _damaged(remote: str, said: str, *, theirs: bool) -> Away:
    if theirs:
        text = (
            f"{remote} is damaged, so nothing can be had from it; look there with git fsck, or make "
            f"it anew: every machine here has its history. ({said})"
        )
    else:
        text = (
            f"{remote} can't be compared with what is here, since something that is stored here, or "
            f"that it sends, is damaged; look here with: git fsck. ({said})"
        )
    return Away(AwayKind.DAMAGED, text)


def _full(remote: str, said: str, *, theirs: bool) -> Away:
    full = "has no space left" if theirs else "has more than there is space left for here"
    return Away(AwayKind.FULL, f"{remote} {full}; it is tried again by itself. ({said})")


def failed(problem: Exception, path: str, *, ended_by: int = 0) -> Failed:
    """What is made of a verb that failed on the tree at `path`, for no reason of the remote's; a
    child of it was ended by this signal. The kind is a stable name, so that the same trouble is one
    alert."""
    words = str(problem)
    if "Input/output error" in words or ended_by == SIGBUS:
        kind, text = "disk-error", f"The disk that {path} lies on can't be read or written"
        then = "see journalctl -k, and save elsewhere what is on that disk; it is tried again"
    elif "No space left" in words or "Disk quota" in words:
        kind = "disk-full"
        text = f"There is no space left for {path}, or the quota there is used up"
        then = "it goes on by itself when there is room"
    elif ended_by == SIGKILL or "out of memory" in words.lower() or "Cannot allocate" in words:
        kind, text = "no-memory", f"git was ended in {path}, most likely for want of memory"
        then = (
            "it is tried again; a file that is too large can be left out (large_file:), or the service "
            "given more (MemoryMax=)"
        )
    elif "Read-only file system" in words:
        kind, text = "read-only", f"The file system of {path} takes no writes"
        then = "it goes on by itself when it does"
    else:
        return Failed("git-failed", f"{words}; it is tried again.")
    return Failed(kind, f"{text}; {then}. ({words})")


def branch_missing(complaint: str) -> bool:
    """The remote is there, but has no such branch."""
    return "couldn't find remote ref" in complaint.lower()


def servers_words(complaint: str) -> str:
    """What the server itself said (the `remote:` lines), else git's last words."""
    words = " ".join(filter(None, (line.strip(" *=-\t") for line in servers_lines(complaint))))
    return words[:500] or _last_words(complaint)


def servers_lines(complaint: str) -> list[str]:
    """The lines that the server has sent for people (git marks them `remote:`)."""
    return [
        line.removeprefix("remote:").strip()
        for line in complaint.splitlines()
        if line.startswith("remote:")
    ]


def _last_words(complaint: str) -> str:
    """The lines that say why, without git's advice, and ours."""
    advice = (
        REMEDY,
        "error: unable to read askpass response",  # of the program that we answer for nobody with
        "hint:",
        "Please make sure",
        "and the repository exists",
        "error: failed to push some",
    )
    said = [line for line in complaint.splitlines() if line and not line.startswith(advice)]
    telling = [line for line in said if not line.startswith("fatal: Could not read from remote")]
    return "; ".join((telling or said)[-3:])[:400] or "git said nothing"
