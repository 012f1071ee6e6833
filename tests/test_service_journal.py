"""What the journal gets, and what a person at a terminal reads."""

import io
import logging
import os
import re
import socket
import struct
import sys

import pytest

from autosyncd.service import journal
from autosyncd.service.journal import (
    Event,
    JournalHandler,
    LineHandler,
    fields,
    printable,
)


def parse(data: bytes) -> dict[str, str]:
    """A datagram as journald reads it (JOURNAL_NATIVE_PROTOCOL)."""
    found, at = {}, 0
    while at < len(data):
        end = data.index(b"\n", at)
        line = data[at:end]
        if b"=" in line:
            name, _, value = line.partition(b"=")
            at = end + 1
        else:
            name = line
            (size,) = struct.unpack_from("<Q", data, end + 1)
            value = data[end + 9 : end + 9 + size]
            assert data[end + 9 + size : end + 10 + size] == b"\n"
            at = end + 10 + size
        found[name.decode()] = value.decode()
    return found


@pytest.fixture
def logger():
    it = logging.getLogger("autosyncd-test")
    it.setLevel(logging.DEBUG)
    it.propagate = False
    yield it
    it.handlers.clear()


@pytest.fixture
def journald(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as it:
        it.bind(str(tmp_path / "journal"))
        it.settimeout(5)
        yield it


def test_a_line_arrives_with_its_fields(journald, logger):
    logger.addHandler(JournalHandler(journald.getsockname()))
    extra = fields(repo="笔记", head="a1b2", event=Event.COMMITTED, peer="desktop", files=3)
    logger.warning("committed %d files", 3, extra=extra)
    got = parse(journald.recv(65536))
    assert got["MESSAGE"] == "committed 3 files"
    assert got["PRIORITY"] == "4"
    assert got["SYSLOG_IDENTIFIER"] == "autosyncd"
    assert got["AUTOSYNC_REPO"] == "笔记"
    assert (got["AUTOSYNC_HEAD"], got["AUTOSYNC_PEER"], got["AUTOSYNC_FILES"]) == (
        "a1b2",
        "desktop",
        "3",
    )
    assert got["MESSAGE_ID"] == Event.COMMITTED.value
    assert got["CODE_FILE"] == __file__


@pytest.mark.parametrize(
    ("level", "priority"),
    [("DEBUG", "7"), ("INFO", "6"), ("WARNING", "4"), ("ERROR", "3"), ("CRITICAL", "2")],
)
def test_levels_are_priorities(journald, logger, level, priority):
    logger.addHandler(JournalHandler(journald.getsockname()))
    logger.log(getattr(logging, level), "x")
    assert parse(journald.recv(65536))["PRIORITY"] == priority


def test_a_traceback_arrives_with_its_lines(journald, logger):
    logger.addHandler(JournalHandler(journald.getsockname()))
    try:
        raise ValueError("line one\nline two")
    except ValueError:
        logger.exception("It broke")
    lines = parse(journald.recv(65536))["MESSAGE"].split("\n")
    assert lines[:2] == ["It broke", "Traceback (most recent call last):"]
    assert lines[-2:] == ["ValueError: line one", "line two"]


def test_all_that_a_process_says_is_about_its_repository(journald, logger, monkeypatch):
    monkeypatch.setattr(journal, "_everywhere", {})
    logger.addHandler(JournalHandler(journald.getsockname()))
    journal.speak_for("notes")
    logger.error("It broke")
    logger.error("It broke", extra=fields(repo="dots"))
    told = [parse(journald.recv(65536))["AUTOSYNC_REPO"] for _ in range(2)]
    assert told == ["notes", "dots"]


def test_a_name_can_forge_no_field(journald, logger):
    logger.addHandler(JournalHandler(journald.getsockname()))
    logger.info("edit %s", "a\nPRIORITY=0", extra=fields(repo="b\nMESSAGE_ID=0"))
    got = parse(journald.recv(65536))
    assert got["PRIORITY"] == "6"
    assert got["MESSAGE"] == "edit a\\x0aPRIORITY=0"
    assert got["AUTOSYNC_REPO"] == "b\\x0aMESSAGE_ID=0"


def test_a_huge_text_is_cut_and_arrives(journald, logger):
    logger.addHandler(JournalHandler(journald.getsockname()))
    logger.info("x" * 1_000_000)
    assert len(parse(journald.recv(200_000))["MESSAGE"]) == journal.TEXT_LIMIT


def test_without_journald_the_line_is_on_stderr(tmp_path, logger, capsys):
    logger.addHandler(JournalHandler(str(tmp_path / "nobody")))
    logger.info("still here", extra=fields(repo="notes"))
    assert capsys.readouterr().err == "[notes] still here\n"


def test_lines_for_people(logger):
    out = io.StringIO()
    logger.addHandler(LineHandler(out))
    logger.info("pushed", extra=fields(repo="notes"))
    logger.warning("no route")
    logger.error("full", extra=fields(repo="notes"))
    assert out.getvalue() == "[notes] pushed\nwarning: no route\n[notes] error: full\n"


def test_colour_marks_the_repository_and_the_trouble(logger):
    out = io.StringIO()
    logger.addHandler(LineHandler(out, colour=True))
    logger.error("full", extra=fields(repo="notes"))
    assert out.getvalue() == "\x1b[36m[notes]\x1b[0m \x1b[31merror:\x1b[0m full\n"


def test_a_narrow_or_closed_stream_is_no_error(logger):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    logger.addHandler(LineHandler(out))
    logger.info("笔记")
    assert raw.getvalue() == b"\\u7b14\\u8bb0\n"
    out.close()
    logger.info("nobody hears this")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 笔记 😀", "plain ünïcode 笔记 😀"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
        ("a\nb\tc\x1b[31m\x7f\x9b", "a\\x0ab\\x09c\\x1b[31m\\x7f\\x9b"),
        ("\ud800", "\\ud800"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
    ],
)
def test_what_is_printed_is_printable(text, shown):
    assert printable(text) == shown
    shown.encode()


def test_message_ids_are_all_different_and_well_formed():
    ids = [event.value for event in Event]
    assert len(set(ids)) == len(list(Event.__members__)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)


def test_stderr_is_the_journal_if_its_inode_says_so(tmp_path):
    with open(tmp_path / "stream", "w") as stream:
        status = os.fstat(stream.fileno())
        ours = f"{status.st_dev}:{status.st_ino}"
        assert journal.to_journal(stream, {"JOURNAL_STREAM": ours})
        assert not journal.to_journal(stream, {"JOURNAL_STREAM": "1:2"})
        assert not journal.to_journal(stream, {})
    assert not journal.to_journal(stream, {"JOURNAL_STREAM": ours})


@pytest.mark.parametrize("verbose", [False, True])
def test_install(monkeypatch, verbose):
    saved = (journal.log.handlers[:], journal.log.propagate, journal.log.level)
    try:
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        journal.install(verbose)
        journal.install(verbose)
        journal.log.debug("the small print")
        journal.log.info("once")
        expected = "the small print\nonce\n" if verbose else "once\n"
        assert sys.stderr.getvalue() == expected
    finally:
        journal.log.handlers[:], journal.log.propagate = saved[0], saved[1]
        journal.log.setLevel(saved[2])


def test_install_takes_the_journal_where_stderr_is_it(monkeypatch, tmp_path, journald):
    saved = (journal.log.handlers[:], journal.log.propagate, journal.log.level)
    try:
        with open(tmp_path / "stream", "w") as stream:
            status = os.fstat(stream.fileno())
            monkeypatch.setattr(sys, "stderr", stream)
            monkeypatch.setattr(journal, "SOCKET", journald.getsockname())
            monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
            journal.install(verbose=False)
            journal.log.info("to the journal")
        assert parse(journald.recv(65536))["MESSAGE"] == "to the journal"
    finally:
        journal.log.handlers[:], journal.log.propagate = saved[0], saved[1]
        journal.log.setLevel(saved[2])
