"""Find and read the configuration files; each comes back as what it says or as its problem."""

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autosyncd.config import schema
from autosyncd.config.document import BYTES_LIMIT
from autosyncd.config.given import ConfigProblem, ParsedFile, unreadable
from autosyncd.config.parse import parse
from autosyncd.config.places import Places, is_drop_in
from autosyncd.config.values import Mistake

_OVERFLOW_UID = 65534
"""How a user namespace shows owners that it does not know (user_namespaces(7))."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds, and whether it is the user's own and nobody else may read it."""

    data: bytes
    private: bool


def read_all(where: Places, before: Sequence[str]) -> Iterator[ParsedFile]:
    """Every file, in reading order. `before`: those read last, in case a folder can't be listed."""
    main = next((file for file in where.main if where.named or os.path.lexists(file)), None)
    if main is not None and (parsed := _parsed(main, where, schema.MAIN)):
        yield parsed
    for folder in where.folders:
        try:
            names = sorted(filter(is_drop_in, os.listdir(folder)))
            if flaw := _flaw(os.stat(folder), system=folder == where.system):
                raise PermissionError(errno.EPERM, f"it {flaw}")
        except OSError as error:
            if not os.path.lexists(folder):
                continue
            names = [os.path.basename(file) for file in before if os.path.dirname(file) == folder]
            yield unreadable(folder, 0, f"can't be read: {_reason(error)}; correct that first")
        for name in names:
            parsed = _parsed(os.path.join(folder, name), where, schema.DROP_IN)
            if parsed is not None:
                yield parsed


def read_source(file: str, *, system: bool = False) -> Content | Mistake:
    """The file's content, or why nobody should go by them. Raises OSError if it can't be read.

    `system`: it lies in a folder that only root writes.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not block
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if flaw := _flaw(found, system=system):
            return Mistake(flaw)
        private = found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
        with open(descriptor, "rb", closefd=False) as opened:
            # None: a file of /proc that would wait
            return Content(opened.read(BYTES_LIMIT + 1) or b"", private)
    finally:
        os.close(descriptor)


def _parsed(file: str, where: Places, table: schema.Section) -> ParsedFile | None:
    """What the file says; None where there is none any more."""
    system = file.startswith((where.system + "/", os.path.dirname(where.system) + "/autosync/"))
    try:
        content = read_source(file, system=system)
    except OSError as error:
        if not os.path.lexists(file) and not (where.named and file in where.main):
            return None
        return unreadable(file, 0, f"can't be read: {_reason(error)}; correct that, or remove it")
    if isinstance(content, Mistake):
        return unreadable(file, 0, content.text)
    parsed = parse(content.data, file, table)
    return parsed if content.private else _without_password(parsed)


def _without_password(parsed: ParsedFile) -> ParsedFile:
    """A file that others may read is no place for a password."""
    xmpp = parsed.top.section("transports").section("xmpp")
    if "password" not in xmpp.values:
        return parsed
    text = (
        f"{xmpp.label('password')}: others may read this file; chmod 600 it (and own it), "
        "or use password_command or password_file"
    )
    problem = ConfigProblem(parsed.file, xmpp.lines["password"], text)
    return replace(parsed, problems=(*parsed.problems, problem))


def _flaw(found: os.stat_result, *, system: bool) -> str:
    """Who else may change it, and what to do; empty: nobody."""
    if found.st_uid not in _trusted(system=system):
        return f"belongs to user {found.st_uid}; make it root's or your own"
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return ""  # nobody can replace what is another's
    if found.st_mode & stat.S_IWOTH:
        return "can be written by everybody; chmod go-w it"
    mine = found.st_uid == os.geteuid()
    if found.st_mode & stat.S_IWGRP and not (mine and _nobody_else_in(found.st_gid)):
        return "can be written by its group; chmod go-w it"
    return ""


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _trusted(*, system: bool) -> set[int]:
    """The owners whose files are believed.

    In a user namespace without root (systemd's PrivateUsers= in a user unit) root's files look like
    anybody's; where only root can have put them they are believed all the same. What root has given to
    another person there can't be told from that.
    """
    owners = {0, os.geteuid()}
    return owners | {_OVERFLOW_UID} if system and not _root_is_mapped() else owners


def _nobody_else_in(group: int) -> bool:
    """Whether it is this user's own group, as most systems give to each: files that an editor makes
    there may be written by it (umask 002; pam_umask(8), `usergroups`), and that lets nobody in."""
    try:
        own, listed = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    if own.pw_gid != group or listed.gr_name != own.pw_name or {*listed.gr_mem} - {own.pw_name}:
        return False
    return all(one.pw_uid == own.pw_uid for one in pwd.getpwall() if one.pw_gid == group)


def _root_is_mapped() -> bool:
    try:
        lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    except OSError:
        return True
    return any(line.split()[0] == "0" for line in lines)
