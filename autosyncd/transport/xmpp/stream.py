"""Pure: the XML of a stream, whose parser does not remember every name that anybody ever sent.

Expat and ElementTree keep each name of an element, an attribute and a namespace for as long as a parser
lives, which here is as long as the connection: 8 MiB of stanzas with names that nobody uses twice,
sent by whoever likes to, took 220 MiB for good. So now and then, between two stanzas, another parser
goes on, which is told how the stream had begun.
"""

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

RENEW_AFTER = 128 * 1024
"""Bytes that one parser reads at least."""
RENEW_WITHIN = 4 * 1024 * 1024
"""Bytes in which there has to be a place to change it; servers end a stanza after 256 KiB."""

_HEADER = re.compile(rb"<(?:[\w.-]+:)?stream\b(?:[^<>'\"]|'[^']*'|\"[^\"]*\")*>")
_END = re.compile(
    rb"</(?:message|presence|iq)\s*>"
    rb"|<(?:message|presence|iq)\b(?:[^<>'\"]|'[^'<]*'|\"[^\"<]*\")*/>"
)
"""Where a stanza may end. Nothing within one looks so but the same inside another, at another depth."""


class StreamParser:
    """In the place of slixmpp's XMLPullParser(("start", "end")), of one stream from its first byte."""

    def __init__(self) -> None:
        self._parser: Any = XMLPullParser(("start", "end"))
        self._unread = b""
        self._opening = b""
        """How the stream began: up to the end of the root's own tag."""
        self._root: Element | None = None
        self._depth = 0
        self._size = 0
        """Bytes that this parser has read."""

    def feed(self, data: bytes) -> None:
        """More of the stream; `read_events` reads it."""
        self._unread += data

    def read_events(self) -> Iterator[tuple[str, Element]]:
        """What begins and ends in it. Raises ParseError, as the library expects it."""
        data, self._unread = self._unread, b""
        if self._root is None:
            self._opening += data
        yield from self._read_up_to_a_change(data)

    def _read_up_to_a_change(self, data: bytes) -> Iterator[tuple[str, Element]]:
        start = 0
        if self._size + len(data) > RENEW_AFTER and self._root is not None:
            for found in _END.finditer(data):
                yield from self._read(data[start : found.end()])
                start = found.end()
                if self._depth == 1:
                    self._renew()
                    break
        if self._size > RENEW_WITHIN:
            raise ParseError("a stanza without end")
        if start < len(data):
            yield from self._read(data[start:])

    def _read(self, data: bytes) -> Iterator[tuple[str, Element]]:
        self._size += len(data)
        self._parser.feed(data)
        if hasattr(self._parser, "flush"):  # a newer Expat may wait for more
            self._parser.flush()
        for event, element in self._parser.read_events():
            if self._root is None:
                self._root = element
                self._keep_opening()
            self._depth += 1 if event == "start" else -1
            yield event, element
            if self._depth == 1 and event == "end":
                self._root.clear()  # the library does so with the first root alone

    def _keep_opening(self) -> None:
        header = _HEADER.search(self._opening)
        self._opening = self._opening[: header.end()] if header else b""

    def _renew(self) -> None:
        if not self._opening:
            return
        parser: Any = XMLPullParser(("start", "end"))
        parser.feed(self._opening)
        ((_, self._root),) = parser.read_events()
        self._parser, self._size = parser, 0
