"""What is left out besides what .gitignore says: junk, key files, and the entry's `exclude:`.

git does all matching: the patterns go into a file of the state folder that our calls name as
core.excludesFile, behind the person's own global one, whose lines it repeats. So a `!pattern` in a
.gitignore or in `exclude:` takes a file in again.
"""

import fnmatch
import os
import re
from collections.abc import Iterable
from pathlib import Path

from autosyncd.model import RepoConfig
from autosyncd.vcs.git.indexes import portions
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import LeftOut
from autosyncd.vcs.statefile import replace

JUNK = (
    # editors: vim, emacs, LibreOffice, Word, gedit
    ".*.sw[a-px]",
    ".sw[a-px]",
    "*~",
    ".#*",
    "\\#*#",
    ".~lock.*#",
    "~$*",
    ".goutputstream-*",
    # partial downloads
    "*.part",
    "*.crdownload",
    "*.filepart",
    # desktops and file systems
    ".DS_Store",
    "Thumbs.db",
    ".nfs[0-9a-f]*",
    ".fuse_hidden*",
    ".Trash-[0-9]*",
)
SECRETS = (
    ".env",
    ".env.local",
    ".netrc",
    ".pgpass",
    ".git-credentials",
    ".htpasswd",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_*_sk",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.kdbx",
    "*.ppk",
    "credentials.json",
)
"""Names of files that are likely keys or passwords: held back until somebody names them."""

KEPT_OUT = "kept-out"
"""In the state folder: patterns of single files (keep_out())."""


def looks_secret(path: bytes) -> bool:
    """Whether the name alone says so (git decides in the end: excludes can take it in again)."""
    name = os.fsdecode(os.path.basename(path))
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in SECRETS)


def install(repository: Repository, config: RepoConfig) -> None:
    """Write the file and let every following git command use it."""
    lines = [*_own_global_excludes(repository)]
    lines += JUNK if config.junk == "skip" else ()
    lines += SECRETS
    lines += _kept_out(repository)
    lines += config.exclude
    _write(repository, lines)
    secrets = "".join(line + "\n" for line in SECRETS)
    replace(repository.state + b"/secrets", secrets.encode(), durable=False)
    repository.git.excludes = repository.state + b"/excludes"


def keep_out(repository: Repository, config: RepoConfig, paths: Iterable[bytes]) -> None:
    """Leave these files out from now on: the person had put them aside in the index, which has them no
    longer (another machine has deleted them), and what is in them may be nobody else's business."""
    known = _kept_out(repository)
    fresh = [pattern for pattern in map(_pattern, sorted(paths)) if pattern not in known]
    if fresh:
        content = "".join(line + "\n" for line in [*known, *fresh])
        # without it a file that nobody else is to see would be committed
        replace(repository.state + b"/" + os.fsencode(KEPT_OUT), os.fsencode(content), durable=True)
        install(repository, config)


def let_in(repository: Repository, config: RepoConfig, paths: Iterable[bytes]) -> None:
    """These have come in and are tracked again: what was kept out under their names is no more."""
    known = _kept_out(repository)
    tracked = set(map(_pattern, paths)) if known else set()
    left = [pattern for pattern in known if pattern not in tracked]
    if left != known:
        content = "".join(line + "\n" for line in left)
        replace(repository.state + b"/" + os.fsencode(KEPT_OUT), os.fsencode(content), durable=True)
        install(repository, config)


def _kept_out(repository: Repository) -> list[str]:
    try:
        data = Path(os.fsdecode(repository.state), KEPT_OUT).read_bytes()
    except FileNotFoundError:
        return []
    return os.fsdecode(data).splitlines()


def _pattern(path: bytes) -> str:
    """The pattern that means this path alone (gitignore(5)); a line can't have a newline in it."""
    text = re.sub(r"([\\*?\[\]!# ])", r"\\\1", os.fsdecode(path))
    return "/" + re.sub(r"[\n\r]", "?", text)


def _write(repository: Repository, lines: Iterable[str]) -> None:
    """The file, written anew only where it is another: children that have read it go by its time."""
    path = repository.state + b"/excludes"
    content = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")
    if not os.path.exists(path) or Path(os.fsdecode(path)).read_bytes() != content:
        replace(path, content, durable=False)


def _own_global_excludes(repository: Repository) -> list[str]:
    try:
        data = Path(os.fsdecode(place_of_own(repository))).read_bytes()
    except OSError:
        return []
    return data.decode("utf-8", "surrogateescape").splitlines()


def place_of_own(repository: Repository) -> bytes:
    """The person's core.excludesFile (or its default place), which ours stands in for."""
    ours, repository.git.excludes = repository.git.excludes, None
    try:
        named = repository.git("config", "--path", "--get", "core.excludesFile", ok=(0, 1)).text
    finally:
        repository.git.excludes = ours
    if not named:
        base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        named = os.path.join(base, "git", "ignore")
    return os.fsencode(named)


def ignored_folders(repository: Repository) -> frozenset[bytes]:
    """Folders that git ignores and that hold nothing tracked (without a trailing slash)."""
    listed = repository.git(
        "ls-files", "-z", "--others", "--ignored", "--directory", "--exclude-standard"
    )
    return frozenset(path[:-1] for path in listed.records if path.endswith(b"/"))


def judge(repository: Repository, folders: Iterable[bytes]) -> frozenset[bytes]:
    """Which of these folders are ignored. One that holds tracked files is not.

    check-ignore knows the index: what is tracked is not reported, but a folder itself never is
    tracked; so what it names is asked for once more.
    """
    asked = sorted(folders)
    if not asked:
        return frozenset()
    stdin = b"".join(folder + b"/\0" for folder in asked)
    said = repository.git("check-ignore", "-z", "--stdin", stdin=stdin, ok=(0, 1, 128))
    named = [folder.rstrip(b"/") for folder in said.records]
    return frozenset(folder for folder in named if not _holds_tracked(repository, folder))


def _holds_tracked(repository: Repository, folder: bytes) -> bool:
    listed = repository.git("--literal-pathspecs", "ls-files", "-z", "--", folder, ok=(0, 128))
    return bool(listed.out)


def _may_hold(repository: Repository, path: bytes) -> bool:
    """A file whose name says so, or a folder."""
    return looks_secret(path) or os.path.isdir(os.path.join(repository.root, path))


def held_secrets(repository: Repository, candidates: Iterable[bytes] | None) -> list[LeftOut]:
    """Files that only our own list of secret names keeps out; None: look through the whole tree."""
    names: list[bytes] = []
    paths = (
        [] if candidates is None else [path for path in candidates if _may_hold(repository, path)]
    )
    if candidates is None or paths:
        secrets = os.fsdecode(repository.state + b"/secrets")
        others = ("ls-files", "-z", "--others", "--ignored", f"--exclude-from={secrets}", "--")
        for some in portions(sorted(paths)) if paths else [[]]:
            names += repository.git("--literal-pathspecs", *others, *some, ok=(0, 128)).records
    ours = os.path.basename(repository.state + b"/excludes")
    held = []
    for source, _line, pattern, path in matches(repository, names):
        if source.endswith(b"/autosync/" + ours) and pattern.decode() in SECRETS:
            held.append(LeftOut(path, "secret", "looks like a key or password file"))
    return held


def matches(
    repository: Repository, paths: Iterable[bytes]
) -> list[tuple[bytes, bytes, bytes, bytes]]:
    """(source, line, pattern, path) of each path that a pattern leaves out (git-check-ignore(1))."""
    stdin = b"".join(path + b"\0" for path in paths)
    if not stdin:
        return []
    said = repository.git("check-ignore", "-z", "-v", "--stdin", stdin=stdin, ok=(0, 1, 128))
    rows = zip(*[iter(said.records)] * 4, strict=False)
    return [
        (source, line, pattern, path)
        for source, line, pattern, path in rows
        if not pattern.startswith(b"!")
    ]
